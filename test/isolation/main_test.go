// Package isolation proves through the public doors that nobody gets at what is not theirs: other tenants (P6, R-52),
// callers without permission, bad input (P8), secrets where none may be (P7, R-31), and other web sites.
// Its tables grow by themselves with the schema.
package isolation

import (
	"testing"

	"github.com/keywright/keywright/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

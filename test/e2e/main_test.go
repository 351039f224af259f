// Package e2e proves the promises through the public doors of the running server, on SQLite and
// on PostgreSQL with Redis.
package e2e

import (
	"testing"

	"github.com/keywright/keywright/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

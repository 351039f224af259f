// Package gateways proves what stands before the applications of our users: real gateways, with the configurations of
// docs/gateways, ask a real Keywright whether calls may pass.
package gateways

import (
	"testing"

	"github.com/keywright/keywright/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

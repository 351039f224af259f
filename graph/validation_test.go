package graph_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/validate"
)

// undecided is a validator that cannot reach anybody.
type undecided struct{ cause error }

func (u undecided) Validate(context.Context, lifecycle.TenantID, *validate.Presentation) (lifecycle.Verdict, error) {
	return lifecycle.Verdict{}, u.cause
}

func TestR15_UndecidedIsToldAsSuchWhateverTheCause(t *testing.T) {
	w := newWorld(t)
	for _, cause := range []error{errors.New("hunter2"), fmt.Errorf("read: %w", context.DeadlineExceeded), fmt.Errorf("read: %w", context.Canceled)} {
		w.log.Reset()
		w.config.Validate = undecided{cause}
		got := w.ask(&w.admin, `{ validateCredentials(input: {credential: "x"}) { isValid } }`, nil)
		if len(got.Errors) != 1 || got.Errors[0].code() != "UNDECIDED" || at(got.Data, "validateCredentials") != nil {
			t.Errorf("%v: %+v", cause, got)
		}
		if log := w.log.String(); !strings.Contains(log, cause.Error()) || strings.Contains(log, "level=ERROR") {
			t.Errorf("%v: the log says %s", cause, log)
		}
	}
}

package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/authorize"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

// together decides when as many are asked about at the same time as it waits for.
type together struct {
	mu      sync.Mutex
	waitFor int
	now     int
	most    int
	enough  chan struct{} // closed when the present ones are enough
}

func (v *together) Gateway(context.Context, secret.Text) (*lifecycle.GatewayFacts, error) {
	return &lifecycle.GatewayFacts{TenantID: "tnt_1", EnvironmentSlug: "dev"}, nil
}

func (v *together) Validate(ctx context.Context, _ lifecycle.TenantID, p *validate.Presentation) (lifecycle.Verdict, error) {
	v.mu.Lock()
	v.now++
	v.most = max(v.most, v.now)
	enough := v.enough
	if v.now >= v.waitFor {
		close(v.enough)
		v.enough = make(chan struct{})
	}
	v.mu.Unlock()
	defer func() {
		v.mu.Lock()
		v.now--
		v.mu.Unlock()
	}()
	switch p.APIID {
	case "near":
		return lifecycle.Unknown(), nil
	case "broken":
		panic("on purpose")
	}
	select {
	case <-enough:
		return lifecycle.Unknown(), nil
	case <-ctx.Done():
		return lifecycle.Verdict{}, ctx.Err()
	}
}

// Of a list, those that are in memory are decided one after the other; the first that is not makes the others be looked
// up beside each other, or a list would take as long as all its look-ups together.
func TestAListIsLookedUpBesideEachOtherOnceOneIsFar(t *testing.T) {
	near, away := `{"credential":"a","apiId":"near"}`, `{"credential":"a"}`
	for _, test := range []struct {
		name    string
		took    time.Duration // each
		list    []string
		waitFor int
		most    int
	}{
		{"all are in memory", 0, slicesOf(near, 100), 1, 1},
		{"many are not", time.Millisecond, slices.Concat([]string{near}, slicesOf(away, atOnce), slicesOf(near, 2*atOnce)), atOnce, atOnce},
		{"few are asked about", time.Millisecond, []string{near, away, away}, 2, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			validator := &together{waitFor: test.waitFor, enough: make(chan struct{})}
			w := askList(ctx, validator, test.took, test.list)
			if w.Code != http.StatusOK || strings.Count(w.Body.String(), "NOT_FOUND") != len(test.list) {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
			if validator.most != test.most {
				t.Errorf("%d were looked up at a time, want %d", validator.most, test.most)
			}
		})
	}
}

// Whoever asks loses the connection; the process goes on.
func TestAPanicOverOneOfAListIsThatOfItsRequest(t *testing.T) {
	defer func() {
		if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "on purpose") {
			t.Errorf("the request panicked with %v", p)
		}
	}()
	askList(t.Context(), &together{waitFor: 1, enough: make(chan struct{})}, time.Millisecond, []string{
		`{"credential":"a","apiId":"near"}`, `{"credential":"a","apiId":"broken"}`, `{"credential":"a","apiId":"near"}`,
	})
}

// askList asks over a list, of which each takes so long.
func askList(ctx context.Context, validator Validator, took time.Duration, list []string) *httptest.ResponseRecorder {
	var elapsed time.Duration
	h := &Validate{
		Validator: validator, Now: time.Now, Observe: func(int, time.Duration) {},
		Elapsed: func() time.Duration { elapsed += took; return elapsed },
	}
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, ValidatePath, strings.NewReader("["+strings.Join(list, ",")+"]"))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(authorize.TokenHeader, "kwg")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func slicesOf(one string, n int) []string { return slices.Repeat([]string{one}, n) }

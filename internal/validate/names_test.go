package validate_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

// catalogue has one API and one environment, both of tenantA, and counts how often it is asked.
type catalogue struct {
	asked atomic.Int64
	hangs atomic.Bool
}

var (
	knownAPI   = lifecycle.APIID(lifecycle.FormatID(lifecycle.KindAPI, [16]byte{1}))
	unknownAPI = lifecycle.APIID(lifecycle.FormatID(lifecycle.KindAPI, [16]byte{2}))
)

func (c *catalogue) answer(ctx context.Context, has bool) (bool, error) {
	c.asked.Add(1)
	if c.hangs.Load() {
		<-ctx.Done()
		return false, ctx.Err()
	}
	return has, nil
}

func (c *catalogue) HasAPI(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.APIID) (bool, error) {
	return c.answer(ctx, tenant == tenantA && id == knownAPI)
}

func (c *catalogue) HasEnvironment(ctx context.Context, tenant lifecycle.TenantID, slug string) (bool, error) {
	return c.answer(ctx, tenant == tenantA && slug == "qa")
}

func newNamesWorld(t *testing.T, patience time.Duration) (*world, *catalogue, secret.Text) {
	t.Helper()
	c := &catalogue{}
	w := newWorld(t, newMemory(t), func(config *validate.Config) { config.Catalogue, config.LoadTimeout = c, 2*patience })
	return w, c, w.issue().Whole()
}

func (w *world) expectCode(what string, p validate.Presentation, want lifecycle.VerdictCode) {
	w.t.Helper()
	if verdict, err := w.Validate(context.Background(), tenantA, &p); err != nil || verdict.Code != want {
		w.t.Errorf("%s: %s %v, want %s", what, verdict.Code, err, want)
	}
}

func TestNamesThatNobodyHasAreToldFromThoseThatAKeyIsNotFor(t *testing.T) {
	w, c, key := newNamesWorld(t, 5*time.Second)
	for range 3 {
		w.expectCode("an API of the tenant", validate.Presentation{Credential: key, APIID: knownAPI}, lifecycle.VerdictForbidden)
		w.expectCode("no API", validate.Presentation{Credential: key, APIID: unknownAPI}, lifecycle.VerdictAPIUnknown)
		w.expectCode("an environment of the tenant", validate.Presentation{Credential: key, EnvironmentSlug: "qa"}, lifecycle.VerdictWrongEnvironment)
		w.expectCode("no environment", validate.Presentation{Credential: key, EnvironmentSlug: "nowhere"}, lifecycle.VerdictEnvironmentUnknown)
		w.expectCode("what cannot be an API", validate.Presentation{Credential: key, APIID: "orders"}, lifecycle.VerdictAPIUnknown)
		w.expectCode("what cannot be an environment", validate.Presentation{Credential: key, EnvironmentSlug: "a\x00b"}, lifecycle.VerdictEnvironmentUnknown)
		w.expectCode("its own", validate.Presentation{Credential: key, APIID: apiA, EnvironmentSlug: "dev"}, lifecycle.VerdictValid)
		w.expectCode("of no key", validate.Presentation{Credential: secret.NewText("x"), APIID: unknownAPI}, lifecycle.VerdictNotFound)
	}
	if asked := c.asked.Load(); asked != 4 {
		t.Errorf("the catalogue was asked %d times about four names", asked)
	}
	w.clock.advance(10 * time.Second)
	w.prove()
	w.expectCode("again, later", validate.Presentation{Credential: key, APIID: unknownAPI}, lifecycle.VerdictAPIUnknown)
	if asked := c.asked.Load(); asked != 5 {
		t.Errorf("what was found out is believed for ever: asked %d times", asked)
	}
}

// A catalogue that is away decides nothing, and is waited for once.
func TestWhatNobodyCanLookUpIsTakenToExist(t *testing.T) {
	w, c, key := newNamesWorld(t, 10*time.Millisecond)
	c.hangs.Store(true)
	for range 5 {
		w.expectCode("no API", validate.Presentation{Credential: key, APIID: unknownAPI}, lifecycle.VerdictForbidden)
		w.expectCode("its own", validate.Presentation{Credential: key, APIID: apiA}, lifecycle.VerdictValid)
	}
	if asked := c.asked.Load(); asked != 1 {
		t.Errorf("the catalogue was waited for %d times", asked)
	}
	c.hangs.Store(false)
	w.clock.advance(10 * time.Second)
	w.prove()
	w.expectCode("when it is back", validate.Presentation{Credential: key, APIID: unknownAPI}, lifecycle.VerdictAPIUnknown)
}

// Many who ask about one name cost one question.
func TestQuestionsAboutOneNameAreShared(t *testing.T) {
	w, c, key := newNamesWorld(t, 5*time.Second)
	var asking sync.WaitGroup
	for range 50 {
		asking.Go(func() {
			w.expectCode("no API", validate.Presentation{Credential: key, APIID: unknownAPI}, lifecycle.VerdictAPIUnknown)
		})
	}
	asking.Wait()
	if asked := c.asked.Load(); asked > 2 { // as many as may ask at the same time
		t.Errorf("the catalogue was asked %d times", asked)
	}
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// link ties the world's subscription to its key set.
func (w *world) link(t *testing.T, db Database) {
	t.Helper()
	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		tx.Record(w.event("linked"))
		return tx.LinkKeySet(ctx, w.tenant.ID, w.sub.ID, lifecycle.AuthenticationAPIKey, w.set.ID)
	})
}

func testFacts(t *testing.T, db Database) {
	w, other := settle(t, db), settle(t, db)
	w.link(t, db)
	want := lifecycle.Facts{
		TenantID: w.tenant.ID, TenantStatus: w.tenant.Status, ApplicationID: w.app.ID, ApplicationStatus: w.app.Status,
		EnvironmentID: w.env.ID, EnvironmentSlug: w.env.Slug, KeySetID: w.set.ID, KeySetStatus: w.set.Status, Authentication: w.set.AuthenticationType,
		KeyID: w.key.ID, KeyStatus: w.key.Status, ExpiresAt: w.key.ExpiresAt, RetiresAt: w.key.RetiresAt,
		AuthorizedAPIs: []lifecycle.APIID{w.api.ID}, Scopes: w.set.OAuthClient.Scopes, ClientType: w.set.OAuthClient.ClientType,
		Limits: w.policy.Limits, TimeZone: w.tenant.Settings.TimeZone,
		NoticeWithin: w.tenant.Settings.NoticeFor(w.key.RetiresAt, w.set.RotatesAt),
	}
	if want.NoticeWithin != 9*24*time.Hour {
		t.Errorf("notices begin %s before the end, want nine days", want.NoticeWithin)
	}
	ask := func(tenant lifecycle.TenantID, digest []byte) (lifecycle.Facts, error) {
		t.Helper()
		facts, position, err := db.Facts(t.Context(), tenant, digest)
		if position < 1 {
			t.Errorf("position is %d, want that of the log", position)
		}
		return facts, err
	}
	same(t, "Facts", want)(ask(w.tenant.ID, w.key.Digest))
	for tenant, digest := range map[lifecycle.TenantID][]byte{other.tenant.ID: w.key.Digest, w.tenant.ID: digest()} {
		if _, err := ask(tenant, digest); !errors.Is(err, manage.ErrNotFound) {
			t.Errorf("a key of nobody here: %v, want not found", err)
		}
	}
	w.api.Status, w.api.Version = lifecycle.APIRetired, 2
	write(t, db, func(ctx context.Context, tx manage.Tx) error { return tx.Update(ctx, &w.api) })
	want.AuthorizedAPIs = nil
	same(t, "Facts with a retired API", want)(ask(w.tenant.ID, w.key.Digest))
	w.api.Status, w.api.Version = lifecycle.APIDeprecated, 3
	w.sub.Status, w.sub.Version = lifecycle.SubscriptionSuspended, 2
	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		return errors.Join(tx.Update(ctx, &w.api), tx.Update(ctx, &w.sub))
	})
	same(t, "Facts with a suspended subscription", want)(ask(w.tenant.ID, w.key.Digest))
}

func testDigestsAndTenantsOfKeys(t *testing.T, db Database) {
	w, other := settle(t, db), settle(t, db)
	same(t, "TenantOfKey", w.tenant.ID)(db.TenantOfKey(t.Context(), w.key.Digest))
	same(t, "DigestOf", w.key.Digest)(db.DigestOf(t.Context(), w.tenant.ID, w.key.ID))
	if tenant, err := db.TenantOfKey(t.Context(), digest()); tenant != "" || !errors.Is(err, manage.ErrNotFound) {
		t.Errorf("the tenant of a digest that nothing has: %q, %v, want not found", tenant, err)
	}
	for what, ask := range map[string]struct {
		tenant lifecycle.TenantID
		key    lifecycle.KeyID
	}{"a foreign key": {other.tenant.ID, w.key.ID}, "no key": {w.tenant.ID, id[lifecycle.KeyID](lifecycle.KindKey)}} {
		if digest, err := db.DigestOf(t.Context(), ask.tenant, ask.key); digest != nil || !errors.Is(err, manage.ErrNotFound) {
			t.Errorf("the digest of %s: %x, %v, want not found", what, digest, err)
		}
	}
}

func testGatewayFacts(t *testing.T, db Database) {
	w, other := settle(t, db), settle(t, db)
	write(t, db, func(_ context.Context, tx manage.Tx) error {
		tx.Record(w.event("something"))
		return nil
	})
	ask := func(digest []byte) (lifecycle.GatewayFacts, error) {
		t.Helper()
		facts, position, err := db.GatewayFacts(t.Context(), digest)
		if position < 1 {
			t.Errorf("position is %d, want that of the log", position)
		}
		return facts, err
	}
	want := func(w *world) lifecycle.GatewayFacts {
		return lifecycle.GatewayFacts{
			GatewayID: w.gateway.ID, TenantID: w.tenant.ID, TenantStatus: w.tenant.Status, EnvironmentID: w.env.ID, EnvironmentSlug: w.env.Slug,
			Dialect: w.gateway.Dialect, IsReasonShown: true, IsQueryCredentialAllowed: true, VerdictMaxAgeSeconds: 60,
		}
	}
	same(t, "GatewayFacts", want(w))(ask(w.gateway.Digest))
	same(t, "another tenant's", want(other))(ask(other.gateway.Digest))
	if _, err := ask(w.key.Digest); !errors.Is(err, manage.ErrNotFound) {
		t.Errorf("a token of nobody: %v, want not found", err)
	}
	without := want(w)
	without.VerdictMaxAgeSeconds = 0
	w.env.VerdictMaxAgeSeconds, w.env.Version = nil, 2
	write(t, db, func(ctx context.Context, tx manage.Tx) error { return tx.Update(ctx, &w.env) })
	same(t, "without a budget", without)(ask(w.gateway.Digest))
}

func testDigests(t *testing.T, db Database) {
	w := settle(t, db)
	want := map[string]bool{string(w.key.Digest): true}
	for i := range 5 {
		set := w.newSet(fmt.Sprint("set ", i))
		key := w.newKey(1)
		key.KeySetID = set.ID
		insert(t, db, &set, &key)
		want[string(key.Digest)] = true
	}
	settle(t, db) // the list knows no tenants
	got := map[string]bool{}
	for after, pages := "", 0; ; pages++ {
		digests, next, err := db.Digests(t.Context(), after, 2)
		no(t, err)
		for _, digest := range digests {
			got[string(digest)] = true
		}
		if len(digests) > 2 || pages > 100 {
			t.Fatalf("%d digests on page %d", len(digests), pages)
		}
		if after = next; next == "" {
			break
		}
	}
	for digest := range want {
		if !got[digest] {
			t.Errorf("the digest of a key is not listed")
		}
	}
	if len(got) != len(want)+1 {
		t.Errorf("%d digests are listed, want %d", len(got), len(want)+1)
	}
}

func testDigestsBelow(t *testing.T, db Database) {
	w, other := settle(t, db), settle(t, db)
	w.link(t, db)
	second := w.newSet("second")
	key := w.newKey(1)
	key.KeySetID = second.ID
	insert(t, db, &second, &key)
	one, both := [][]byte{w.key.Digest}, [][]byte{w.key.Digest, key.Digest}
	event := func(of *world, kind lifecycle.EventType, subject any) lifecycle.Event {
		return lifecycle.Event{TenantID: of.tenant.ID, Type: kind, SubjectID: fmt.Sprint(subject)}
	}
	keySet, app := w.event(""), w.event("")
	app.KeySetID = nil
	for what, c := range map[string]struct {
		events []lifecycle.Event
		want   [][]byte
	}{
		"a key set":            {[]lifecycle.Event{keySet}, one},
		"an application":       {[]lifecycle.Event{app}, both},
		"an environment":       {[]lifecycle.Event{event(w, lifecycle.EventEnvironmentUpdated, w.env.ID)}, both},
		"an API":               {[]lifecycle.Event{event(w, lifecycle.EventAPIRetired, w.api.ID)}, one},
		"the tenant":           {[]lifecycle.Event{event(w, lifecycle.EventTenantSuspended, w.tenant.ID)}, both},
		"settings":             {[]lifecycle.Event{event(w, lifecycle.EventTenantSettingsUpdated, w.tenant.ID)}, nil},
		"a group":              {[]lifecycle.Event{event(w, lifecycle.EventGroupCreated, w.group.ID)}, nil},
		"another tenant's API": {[]lifecycle.Event{event(other, lifecycle.EventAPIRetired, w.api.ID)}, nil},
		"both":                 {[]lifecycle.Event{keySet, app}, both},
		"nothing":              {nil, nil},
	} {
		got, err := db.DigestsBelow(t.Context(), c.events, 1000)
		no(t, err)
		slices.SortFunc(c.want, slices.Compare[[]byte])
		slices.SortFunc(got[w.tenant.ID], slices.Compare[[]byte])
		if !slices.EqualFunc(got[w.tenant.ID], c.want, slices.Equal[[]byte]) || len(got) != min(1, len(c.want)) {
			t.Errorf("below an event of %s are %d keys, want %d", what, len(got[w.tenant.ID]), len(c.want))
		}
	}
	for what, e := range map[string]lifecycle.Event{
		"an environment": event(w, lifecycle.EventEnvironmentUpdated, w.env.ID), "the tenant": event(w, lifecycle.EventTenantSuspended, w.tenant.ID),
		"an application": app,
	} {
		if got, err := db.DigestsBelow(t.Context(), []lifecycle.Event{e}, 0); err != nil || len(got[w.tenant.ID]) != 1 {
			t.Errorf("below an event of %s are %d keys, %v; want one more than the limit of none", what, len(got[w.tenant.ID]), err)
		}
	}
}

func testSealed(t *testing.T, db Database) {
	w := settle(t, db)
	first := manage.Sealed{SecretVersion: 1, WrappedDataKey: []byte{0, 1, 2}, Ciphertext: []byte("'\\x00\x00")}
	second := manage.Sealed{SecretVersion: 2, WrappedDataKey: []byte("key"), Ciphertext: []byte("text")}
	for _, s := range []manage.Sealed{first, second} {
		write(t, db, func(ctx context.Context, tx manage.Tx) error { return tx.PutSealed(ctx, w.tenant.ID, w.key.ID, s) })
		within(t, db, func(ctx context.Context, tx manage.Tx) {
			same(t, "Sealed", s)(tx.Sealed(ctx, w.tenant.ID, w.key.ID))
			if _, err := tx.Sealed(ctx, "ten_x", w.key.ID); !errors.Is(err, manage.ErrNotFound) {
				t.Errorf("for another tenant: %v, want not found", err)
			}
		})
	}
	if _, err := db.SQL.ExecContext(t.Context(), "DELETE FROM data_keys"); err != nil {
		t.Fatal(err)
	}
	within(t, db, func(ctx context.Context, tx manage.Tx) {
		if _, err := tx.Sealed(ctx, w.tenant.ID, w.key.ID); !errors.Is(err, manage.ErrNotFound) {
			t.Errorf("without its data key: %v, want not found", err)
		}
	})
}

func claimed(w *world, key string, at time.Time) manage.Claim {
	return manage.Claim{
		TenantID: w.tenant.ID, ActorID: string(w.user.ID), Operation: "createApplication", Key: key,
		Fingerprint: []byte("arguments"), At: at, ExpiresAt: at.Add(24 * time.Hour),
	}
}

func testIdempotencyRace(t *testing.T, db Database) {
	w := settle(t, db)
	claim := claimed(w, "k", start)
	var ran atomic.Int64
	var wg sync.WaitGroup
	results := make([]string, racers)
	errs := make([]error, racers)
	for i := range racers {
		wg.Go(func() {
			_, errs[i] = db.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error {
				earlier, err := tx.BeginIdempotent(ctx, claim)
				if err != nil {
					return err
				}
				if earlier != nil {
					results[i] = string(earlier.Result)
					return nil
				}
				results[i] = fmt.Sprint("by ", ran.Add(1))
				if ran.Load() < 3 {
					return errors.New("rolled back") // two fail: the claim is free again
				}
				tx.Record(w.event("done once"))
				return tx.FinishIdempotent(ctx, claim, manage.Finished{Fingerprint: claim.Fingerprint, Result: []byte(results[i])})
			})
		})
	}
	wg.Wait()
	failed := 0
	for i, err := range errs {
		if err != nil {
			failed++
		} else if results[i] != "by 3" {
			t.Errorf("the answer is %q", results[i])
		}
	}
	if failed != 2 || ran.Load() != 3 || db.count(t, "events") != 1 {
		t.Errorf("%d failed and %d ran, want 2 and 3", failed, ran.Load())
	}
}

func testIdempotencyTimes(t *testing.T, db Database) {
	w, other := settle(t, db), settle(t, db)
	finished := manage.Finished{Fingerprint: []byte("arguments"), Result: []byte("{}"), Secrets: []byte{1, 0, 2}, SecretsEnd: start.Add(15 * time.Minute)}
	begin := func(claim manage.Claim) (earlier *manage.Finished) {
		t.Helper()
		within(t, db, func(ctx context.Context, tx manage.Tx) {
			var err error
			earlier, err = tx.BeginIdempotent(ctx, claim)
			no(t, err)
		})
		return earlier
	}
	claim := claimed(w, "k", start)
	write(t, db, func(ctx context.Context, tx manage.Tx) error {
		same[*manage.Finished](t, "a first claim", nil)(tx.BeginIdempotent(ctx, claim))
		return tx.FinishIdempotent(ctx, claim, finished)
	})
	later := claim
	later.At, later.Fingerprint = start.Add(15*time.Minute-1000), []byte("other arguments")
	same(t, "a retry", &finished)(begin(later), nil)
	later.At = start.Add(15 * time.Minute)
	same(t, "a late retry", &manage.Finished{Fingerprint: finished.Fingerprint, Result: finished.Result, SecretsEnd: finished.SecretsEnd})(begin(later), nil)
	later.At = claim.ExpiresAt
	same[*manage.Finished](t, "a retry after the retention", nil)(begin(later), nil)
	for _, change := range []func(c *manage.Claim){
		func(c *manage.Claim) { c.TenantID = other.tenant.ID },
		func(c *manage.Claim) { c.ActorID = "usr_x" },
		func(c *manage.Claim) { c.Operation = "deleteApplication" },
		func(c *manage.Claim) { c.Key = "l" },
	} {
		another := claim
		change(&another)
		same[*manage.Finished](t, "another claim", nil)(begin(another), nil)
	}
	clean := func(at time.Time, want int) {
		t.Helper()
		same(t, "Clean", want)(db.Clean(t.Context(), at))
	}
	clean(start.Add(14*time.Minute), 0)
	clean(start.Add(15*time.Minute), 1)
	clean(start.Add(15*time.Minute), 0)
	clean(claim.ExpiresAt, 1)
	if n := db.count(t, "idempotency_results"); n != 0 {
		t.Errorf("%d results are left", n)
	}
}

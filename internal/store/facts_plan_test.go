package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// Every node looks up the keys below each change that anybody makes: it must not cost more the more keys there are.
func TestKeysBelowAChangeAreFoundWithoutReadingAllKeys(t *testing.T) {
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			c := newCrowd(t, s, map[dialect]int{postgres: 20_000, sqlite: 2_000}[s.dialect])
			c.giveKeys(t, s)
			byKeySet := lifecycle.Event{TenantID: c.tenant, Type: lifecycle.EventKeySetRevoked, SubjectID: string(c.keySets[7].ID), KeySetID: &c.keySets[7].ID}
			app := c.apps[len(c.apps)-1].ID
			byApplication := lifecycle.Event{TenantID: c.tenant, Type: lifecycle.EventApplicationSuspended, SubjectID: string(app), ApplicationID: &app}
			byAPI := lifecycle.Event{TenantID: c.tenant, Type: lifecycle.EventAPIRetired, SubjectID: string(c.apis[3].ID)}
			var many []lifecycle.Event
			for _, set := range c.keySets[:60] {
				many = append(many, lifecycle.Event{TenantID: c.tenant, Type: lifecycle.EventKeySetRotated, SubjectID: string(set.ID), KeySetID: &set.ID})
			}
			inApp, ofAPI := len(c.keySets)/len(c.apps), (len(c.apps)+len(c.apis)-4)/len(c.apis)
			sent := watch(s)
			for what, change := range map[string]struct {
				events []lifecycle.Event
				keys   int
			}{
				"a key set":                            {[]lifecycle.Event{byKeySet}, 1},
				"many key sets":                        {many, len(many)},
				"an application":                       {[]lifecycle.Event{byApplication}, inApp},
				"an API":                               {[]lifecycle.Event{byAPI}, ofAPI},
				"a key set, an application and an API": {[]lifecycle.Event{byKeySet, byApplication, byAPI}, 1 + inApp + ofAPI},
				"what no key depends on":               {[]lifecycle.Event{{TenantID: c.tenant, Type: lifecycle.EventTenantCreated, SubjectID: string(c.tenant)}}, 0},
			} {
				below, err := s.DigestsBelow(t.Context(), change.events, 1000)
				if err != nil || len(below[c.tenant]) != change.keys {
					t.Errorf("%s: %d keys, %v; want %d", what, len(below[c.tenant]), err, change.keys)
				}
				for _, statement := range sent.take() {
					if plan := explain(t, s, statement); readsAll(plan, "keys") || readsAll(plan, "key_sets") {
						t.Errorf("%s: the whole table is read:\n%s", what, plan)
					}
				}
			}
		})
	}
}

// giveKeys gives each key set a key.
func (c *crowd) giveKeys(t *testing.T, s *Store) {
	t.Helper()
	ids := lifecycle.IDs{Now: func() time.Time { return c.now.Now }, Rand: rand.Reader}
	var keys []lifecycle.Key
	for _, set := range c.keySets {
		digest := sha256.Sum256([]byte(set.ID))
		keys = append(keys, lifecycle.Key{
			ID: lifecycle.KeyID(ids.New(lifecycle.KindKey)), TenantID: c.tenant, KeySetID: set.ID, SequenceNumber: 1, IsLatest: true, Status: lifecycle.KeyActive,
			PublicIdentifier: set.PublicIdentifier, Digest: digest[:], CreatedAt: set.CreatedAt,
		})
	}
	_, err := s.Write(t.Context(), func(ctx context.Context, tx manage.Tx) error { return tx.Insert(ctx, &keys) })
	if err == nil && s.dialect == postgres {
		_, err = s.write.ExecContext(t.Context(), "VACUUM ANALYZE")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// readsAll reports whether a plan reads a table, or one of its indexes, from end to end.
func readsAll(plan, table string) bool {
	lines := strings.Split(plan, "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		switch {
		case strings.Contains(line, "Seq Scan on "+table+" "), line == "SCAN "+table, strings.HasPrefix(line, "SCAN "+table+" "):
			return true
		case strings.HasPrefix(line, "SEARCH "+table+" ") && strings.HasSuffix(line, "(tenant_id=?)"): // of a large tenant
			return true
		case strings.Contains(line, "Index ") && strings.Contains(line, " on "+table+" ") && (i+1 == len(lines) || !strings.Contains(lines[i+1], "Cond:")):
			return true
		}
	}
	return false
}

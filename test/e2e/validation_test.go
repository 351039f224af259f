package e2e

import (
	"bufio"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// database opens the server's database beside it.
func (s *scene) database(t *testing.T) *sql.DB {
	t.Helper()
	driver, url := "sqlite", "file:"+filepath.Join(s.server.Config.Data, "keywright.db")+"?_pragma=busy_timeout(5000)"
	if s.server.Config.Database != "" {
		driver, url = "pgx", s.server.Config.Database
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// metric reads one figure of /metrics.
func (s *scene) metric(t *testing.T, name string) float64 {
	t.Helper()
	answer, err := http.Get(s.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return number
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func TestT13_S0_69_S0_70_AKeyIsRefusedFromTheInstantOfItsExpiry(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		set, key := s.world.KeySet(t, s.app(t).ID, s.env, s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "PT1H"}}), nil)
		end, err := time.Parse(time.RFC3339, s.keySet(t, set).Text(t, "expiresAt"))
		if err != nil || !end.Equal(clock.Now().Add(time.Hour)) {
			t.Fatalf("the key expires at %s", end)
		}
		for _, step := range []struct {
			at           time.Time
			want, status string
		}{{clock.Now(), "VALID", "ACTIVE"}, {end.Add(-time.Microsecond), "VALID", "ACTIVE"}, {end, "EXPIRED", "EXPIRED"}, {end.Add(24 * time.Hour), "EXPIRED", "EXPIRED"}} {
			clock.set(step.at)
			s.expectVerdict(t, step.at.String(), vars{"credential": key}, step.want)
			s.expectStatus(t, step.at.String(), set, step.status)
		}
		for status, want := range map[string]float64{"EXPIRED": 1, "ACTIVE": 0} {
			found := s.Do(t, `query($f: KeySetFilter) { keySets(filter: $f) { totalCount } }`, vars{"f": vars{"id": vars{"eq": set}, "status": vars{"eq": status}}})
			if found.Get("keySets", "totalCount") != want {
				t.Errorf("a list of those %s shows %v", status, found)
			}
		}
	})
}

func TestT5_RegeneratingKeepsTheRuleOfExpiry(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		set, _ := s.world.KeySet(t, s.app(t).ID, s.env, s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P10D"}}), nil)
		clock.pass(9 * 24 * time.Hour)
		key := s.regenerate(t, set, nil)
		end, _ := s.keySet(t, set)["expiresAt"].(string)
		if at, err := time.Parse(time.RFC3339, end); err != nil || !at.Equal(clock.Now().Add(10*24*time.Hour)) {
			t.Errorf("the new key expires at %q", end)
		}
		clock.pass(10*24*time.Hour - time.Second)
		s.expectVerdict(t, "before", vars{"credential": key}, "VALID")
		clock.pass(time.Second)
		s.expectVerdict(t, "at its expiry", vars{"credential": key}, "EXPIRED")
	})
}

func TestT7_T6_OnlyAnAcceptedUseCountsAsOne(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		o, clock := held(o)
		s := newScene(t, o)
		app := s.app(t)
		short := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "PT1H"}})
		suspended, a := s.world.KeySet(t, app.ID, s.env, s.template, nil)
		revoked, b := s.world.KeySet(t, app.ID, s.env, s.template, nil)
		expired, c := s.world.KeySet(t, app.ID, s.env, short, nil)
		unused, d := s.world.KeySet(t, app.ID, s.env, s.template, vars{"isSuspended": true})
		used := clock.Now()
		for _, key := range []string{a, b, c} {
			s.expectVerdict(t, "in use", vars{"credential": key}, "VALID")
		}
		s.move(t, "suspendKeySet", suspended)
		s.move(t, "revokeKeySet", revoked)
		clock.pass(2 * time.Hour)
		for key, want := range map[string]string{a: "SUSPENDED", b: "REVOKED", c: "EXPIRED", d: "SUSPENDED"} {
			s.expectVerdict(t, "refused", vars{"credential": key}, want)
		}
		version := s.keySet(t, suspended).Get("version")
		// What was noted is written at the latest when the server stops.
		config, key := s.server.Config, s.Key
		s.server.Stop(t)
		s.server = apptest.StartWith(t, config, key)
		s.Client = s.server.Client
		for _, set := range []string{suspended, revoked, expired} {
			read := s.keySet(t, set)
			at, _ := read["lastUsedAt"].(string)
			if when, err := time.Parse(time.RFC3339, at); err != nil || !when.Equal(used) || read.Get("latestKey", "lastUsedAt") != at {
				t.Errorf("last used at %q, want %s", at, used)
			}
		}
		if got := s.keySet(t, unused).Get("lastUsedAt"); got != nil {
			t.Errorf("a key that was never accepted was last used at %v", got)
		}
		if got := s.keySet(t, suspended).Get("version"); got != version {
			t.Errorf("noting a use made version %v of %v", got, version)
		}
	})
}

func TestT14_GarbageCostsNoQueryAndAnUnknownKeyOne(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		set, key := s.world.KeySet(t, app.ID, s.env, s.template, nil)
		s.move(t, "revokeKeySet", set)
		s.move(t, "deleteKeySet", set) // now it is well formed and unknown
		loads, malformed := s.metric(t, "keywright_validation_loads_total"), s.metric(t, "keywright_validations_malformed_total")
		wrong := key[:len(key)-1] + string('a'+(key[len(key)-1]-'a'+1)%26)
		garbage := []string{"x", strings.Repeat("x", 4096), wrong, key + "x", key[1:], strings.ToUpper(key), " " + key}
		for _, text := range garbage {
			s.expectVerdict(t, "garbage", vars{"credential": text}, "NOT_FOUND")
		}
		if got := s.metric(t, "keywright_validation_loads_total"); got != loads {
			t.Errorf("%d pieces of garbage cost %v reads of the database", len(garbage), got-loads)
		}
		if got := s.metric(t, "keywright_validations_malformed_total") - malformed; got != float64(2*len(garbage)) {
			t.Errorf("%v of %d pieces of garbage were told by their form", got, len(garbage))
		}
		for range 20 {
			s.expectVerdict(t, "unknown", vars{"credential": key}, "NOT_FOUND")
		}
		if got := s.metric(t, "keywright_validation_loads_total") - loads; got > 3 {
			t.Errorf("one unknown key cost %v reads of the database", got)
		}
	})
}

func TestT15_AStoredHashIsNoKey(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		app := s.app(t)
		db := s.database(t)
		var digest []byte
		var hint, publicID string
		if err := db.QueryRowContext(t.Context(), fmt.Sprintf(`SELECT digest, hint, public_identifier FROM keys WHERE key_set_id = '%s'`, app.DefaultKeySet)).Scan(&digest, &hint, &publicID); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(app.Credential, string(digest)) || len(digest) != 32 {
			t.Errorf("what is stored is no digest")
		}
		for _, text := range []string{string(digest), hex.EncodeToString(digest), base64.StdEncoding.EncodeToString(digest), publicID + "_" + hex.EncodeToString(digest)[:38], publicID} {
			for _, ask := range []vars{{"credential": text}, {"credential": text, "publicIdentifier": publicID}} {
				s.expectVerdict(t, "a stored value", ask, "NOT_FOUND")
			}
		}
		s.expectVerdict(t, "an API key as a pair", vars{"publicIdentifier": publicID, "credential": app.Credential[len(publicID)+1:]}, "NOT_FOUND")
		s.expectVerdict(t, "the key itself", vars{"credential": app.Credential}, "VALID")
	})
}

// Validators and a writer race; nothing that was read before a change may be believed after it.
func TestT1_T3_AFillInFlightBringsNoRefusedKeyBack(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		set, key := s.world.KeySet(t, s.app(t).ID, s.env, s.template, nil)
		// settled is even while the key may be accepted, odd from when its refusal was acknowledged.
		var settled atomic.Int64
		done := make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			parallel(3, func(int) {
				for {
					select {
					case <-done:
						return
					default:
					}
					before := settled.Load()
					got := s.Verdict(t, vars{"credential": key})
					after := settled.Load()
					if before == after && before%2 == 1 && got != "SUSPENDED" {
						t.Errorf("after its suspension was acknowledged the key is %s", got)
					}
				}
			})
		}()
		for range 8 {
			s.move(t, "suspendKeySet", set)
			settled.Add(1)
			s.expectVerdict(t, "suspended", vars{"credential": key}, "SUSPENDED")
			settled.Add(1)
			s.move(t, "reactivateKeySet", set)
			s.expectVerdict(t, "reactivated", vars{"credential": key}, "VALID")
		}
		close(done)
		<-ended
		s.regenerate(t, set, nil)
		s.expectVerdict(t, "regenerated", vars{"credential": key}, "REVOKED")
	})
}

package manage_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
	"github.com/keywright/keywright/internal/store"
)

// yard is a house with many key sets that rotate every thirty days.
type yard struct {
	*house
	url string
	ids []lifecycle.KeySetID
}

func newYard(t *testing.T, url string, keySets int) *yard {
	t.Helper()
	y := &yard{house: bootstrapped(t, emptyHouse(t, t.TempDir(), url)), url: url}
	ctx, tenant := t.Context(), y.root.By.TenantID
	month := lifecycle.Days(30)
	template := must(y.CreatePolicyTemplate(ctx, y.root, manage.CreatePolicyTemplate{
		Name: "Rotating", AuthenticationType: lifecycle.AuthenticationAPIKey, Rules: lifecycle.Rules{
			Rotation: lifecycle.RotationRule{Mode: lifecycle.RotationAutomatic, Interval: &month, Overlap: lifecycle.Days(1)},
		},
	}))(t)
	env := must(y.CreateEnvironment(ctx, y.root, manage.CreateEnvironment{Name: "Yard", Slug: "yard"}))(t)
	orgs := must(y.store.Organizations(ctx, tenant, query.OrganizationQuery{}, manage.Moment{Now: y.at}))(t)
	app := must(y.CreateApplication(ctx, y.root, manage.CreateApplication{OrganizationID: orgs.Nodes()[0].ID, Name: "Yard"}))(t).Application
	first := must(y.CreateKeySet(ctx, y.root, manage.CreateKeySet{
		ApplicationID: app.ID, EnvironmentID: env.ID, PolicyTemplateID: template.ID, AuthenticationType: lifecycle.AuthenticationAPIKey,
	}))(t).KeySet
	policies := []lifecycle.Policy{}
	if err := y.store.Get(ctx, tenant, &policies, []string{string(first.PolicyID)}); err != nil {
		t.Fatal(err)
	}
	y.ids = append(y.ids, first.ID)
	ids := lifecycle.IDs{Now: y.now, Rand: rand.Reader}
	var sets []lifecycle.KeySet
	var keys []lifecycle.Key
	var milestones []lifecycle.Milestone
	for i := 1; i < keySets; i++ {
		set, digest := first, make([]byte, 32)
		_, _ = rand.Read(digest)
		set.ID, set.Name = lifecycle.KeySetID(ids.New(lifecycle.KindKeySet)), fmt.Sprintf("Key %d", i)
		made := lifecycle.Create(set, policies[0], lifecycle.Key{ID: lifecycle.KeyID(ids.New(lifecycle.KindKey)), PublicIdentifier: "kw_x", Digest: digest},
			false, lifecycle.Moment{Now: y.at, Zone: first.CreatedAt.Location(), NewID: ids.New})
		sets, keys, milestones = append(sets, made.KeySet), append(keys, made.Keys...), append(milestones, made.Milestones...)
		y.ids = append(y.ids, set.ID)
	}
	_, err := y.store.Write(ctx, func(ctx context.Context, tx manage.Tx) error {
		for _, rows := range []any{&sets, &keys, &milestones} {
			if err := tx.Insert(ctx, rows); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// node is another server on the same database.
func (y *yard) node(t *testing.T, random io.Reader) *manage.Service {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{URL: y.url, Chain: y.keyring, Now: y.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return manage.New(manage.Config{Store: db, Keyring: y.keyring, Now: y.now, Rand: random, Committed: func(context.Context, int64) {}})
}

// drain works until nothing is due any more, for whoever.
func (y *yard) drain(t *testing.T, node *manage.Service) {
	for {
		if _, err := node.TakeDue(t.Context()); err != nil {
			t.Error(err)
			return
		}
		due, err := y.store.TenantsWithDue(t.Context(), y.at)
		if err != nil {
			t.Error(err)
			return
		}
		if len(due) == 0 {
			return
		}
	}
}

// wantRotatedOnce checks that each key set has exactly two keys and one event.
func (y *yard) wantRotatedOnce(t *testing.T, before int64) {
	t.Helper()
	rotated := map[lifecycle.KeySetID]int{}
	for after := before; ; {
		events, err := y.store.LogOf(t.Context(), y.root.By.TenantID, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			if e.Type != lifecycle.EventKeySetRotated {
				t.Fatalf("recorded %s", e.Type)
			}
			rotated[*e.KeySetID]++
		}
		after = events[len(events)-1].Sequence
	}
	latest, err := y.store.LatestKeys(t.Context(), y.root.By.TenantID, y.ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range y.ids {
		if rotated[id] != 1 || latest[id].SequenceNumber != 2 {
			t.Fatalf("R-21: key set %s was rotated %d times, its latest key is number %d", id, rotated[id], latest[id].SequenceNumber)
		}
	}
	if len(rotated) != len(y.ids) {
		t.Errorf("%d key sets were rotated, want %d", len(rotated), len(y.ids))
	}
}

func TestR_21_P5_ThreeNodesRacingThousandDueRotationsMakeThousandKeys(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, url string) {
		n := 1000
		if url == "" { // one writer: there is no race to win
			n = 300
		}
		y := newYard(t, url, n)
		before := y.sequence(y.root.By.TenantID)
		y.at = y.at.AddDate(0, 0, 31)
		nodes := []*manage.Service{y.Service, y.Service, y.Service}
		if url != "" {
			nodes = []*manage.Service{y.Service, y.node(t, rand.Reader), y.node(t, rand.Reader)}
		}
		var all sync.WaitGroup
		for _, node := range nodes {
			all.Go(func() { y.drain(t, node) })
		}
		all.Wait()
		y.wantRotatedOnce(t, before)
	})
}

// held is randomness that comes only when somebody lets it, so that who needs it hangs amid a transaction.
type held struct {
	once    sync.Once
	reached chan struct{}
	let     chan struct{}
}

func (h *held) Read(p []byte) (int, error) {
	h.once.Do(func() { close(h.reached) })
	<-h.let
	return rand.Read(p)
}

func TestR_21_ANodeThatHangsAmidItsWorkStopsNobodyAndDoesNothingTwice(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, url string) {
		if url == "" {
			t.Log("a writer is alone on SQLite: nobody can be overtaken")
			return
		}
		y := newYard(t, url, 500)
		before := y.sequence(y.root.By.TenantID)
		y.at = y.at.AddDate(0, 0, 31)
		stop := &held{reached: make(chan struct{}), let: make(chan struct{})}
		hanging := y.node(t, stop)
		var over sync.WaitGroup
		over.Go(func() {
			if _, err := hanging.TakeDue(t.Context()); err != nil {
				t.Error(err)
			}
		})
		<-stop.reached
		done := 0
		for { // everything but what the hanging node holds
			n := must(y.TakeDue(t.Context()))(t)
			if done += n; n == 0 {
				break
			}
		}
		if done == 0 || done >= 500 {
			t.Errorf("the others rotated %d of 500", done)
		}
		close(stop.let)
		over.Wait()
		y.drain(t, y.Service)
		y.wantRotatedOnce(t, before)
	})
}

func TestP5_ASuspendedTenantWaitsAndCatchesUpOnce(t *testing.T) {
	y := newYard(t, "", 3)
	ctx := t.Context()
	must(y.SuspendTenant(ctx, y.root, y.root.By.TenantID))(t)
	before := y.sequence(y.root.By.TenantID)
	y.at = y.at.AddDate(0, 0, 100)
	if n := must(y.TakeDue(ctx))(t); n != 0 {
		t.Errorf("%d key sets of a suspended tenant were looked after", n)
	}
	must(y.ReactivateTenant(ctx, y.root, y.root.By.TenantID))(t)
	before++
	y.drain(t, y.Service)
	y.wantRotatedOnce(t, before)
}

func TestD20_ARotatedSecretIsClaimedOnceByWhoeverMayRetrieveCredentials(t *testing.T) {
	o := newOffice(t, "")
	ctx := t.Context()
	interval, window := lifecycle.Days(10), lifecycle.Days(3)
	o.c.template = must(o.CreatePolicyTemplate(ctx, o.root, manage.CreatePolicyTemplate{
		Name: "Rotating", AuthenticationType: lifecycle.AuthenticationAPIKey, ClaimWindow: &window, Rules: lifecycle.Rules{
			Rotation: lifecycle.RotationRule{Mode: lifecycle.RotationAutomatic, Interval: &interval, Overlap: lifecycle.Days(1)},
		},
	}))(t)
	set := o.keySet(t)
	o.at = o.at.AddDate(0, 0, 10)
	must(o.TakeDue(ctx))(t)
	claimed := must(o.RetrieveCredentials(ctx, o.developer, string(set.ID)))(t)
	if claimed.Key.SequenceNumber != 2 || claimed.Credentials.Secret.Reveal() == "" {
		t.Errorf("claimed: %+v", claimed.Key)
	}
	wantRefusal(t, "claimed twice", of(o.RetrieveCredentials(ctx, o.root, string(set.ID))), lifecycle.CodePolicyViolation, "input.id")
	o.at = o.at.AddDate(0, 0, 10)
	must(o.TakeDue(ctx))(t)
	o.at = o.at.AddDate(0, 0, 3)
	wantRefusal(t, "claimed too late", of(o.RetrieveCredentials(ctx, o.developer, string(set.ID))), lifecycle.CodePolicyViolation, "input.id")
}

func TestS2_17_AnApproverIsRemindedOnceWhenAQuarterOfTheTimeIsLeft(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, url string) {
		asked, timeout := rule(lifecycle.ApprovalToRegenerate), lifecycle.Days(4)
		asked.Timeout = &timeout
		o := newOffice(t, url, asked)
		ctx := t.Context()
		waiting, decided := o.keySet(t), o.keySet(t)
		request := o.regenerate(t, waiting)
		must(o.RejectRequest(ctx, o.first, o.regenerate(t, decided).ID, nil))(t)
		before := o.sequence(o.root.By.TenantID)
		o.at = request.CreatedAt.AddDate(0, 0, 3).Add(-1)
		if n := must(o.RemindApprovers(ctx))(t); n != 0 {
			t.Errorf("%d reminders before their time", n)
		}
		o.at = request.CreatedAt.AddDate(0, 0, 3)
		for range 2 {
			must(o.RemindApprovers(ctx))(t)
		}
		if got := o.since(before); got != "APPROVAL_REMINDED" {
			t.Errorf("recorded %s", got)
		}
		if e := o.log(o.root.By.TenantID, before)[0]; e.SubjectID != string(request.ID) || e.Actor.ID != manage.ComponentScheduler || !strings.Contains(fmt.Sprint(e.Changes), "expiresAt") {
			t.Errorf("%+v", e)
		}
		// One that lapsed while nobody looked is not reminded of.
		late := o.regenerate(t, decided)
		o.at = late.CreatedAt.AddDate(0, 0, 5)
		if n := must(o.RemindApprovers(ctx))(t); n != 0 {
			t.Errorf("%d reminders of what has lapsed", n)
		}
	})
}

// A ladder that changes is planned anew for all key sets, in more than one transaction, and nobody is told twice.
func TestNotices_AnotherLadderIsPlannedAnew(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, url string) {
		y := newYard(t, url, 30)
		ctx, tenant := t.Context(), y.root.By.TenantID
		leads := func(all ...lifecycle.Duration) {
			t.Helper()
			changed := must(y.UpdateTenantSettings(ctx, y.root, manage.UpdateTenantSettings{ExpirationNoticeLeadTimes: manage.SetTo(all)}))(t)
			if got := changed.Settings.ExpirationNoticeLeadTimes; len(got) != len(all) || !slices.IsSortedFunc(got, func(a, b lifecycle.Duration) int { return cmp.Compare(b.AtLeast(), a.AtLeast()) }) {
				t.Errorf("lead times are %v", got)
			}
		}
		begin := y.at
		told := func(days int) (leads []string) {
			before := y.sequence(tenant)
			y.at = begin.AddDate(0, 0, days)
			y.drain(t, y.Service)
			for _, e := range y.log(tenant, before) {
				if e.Type != lifecycle.EventKeySetRotationComing {
					t.Fatalf("recorded %s", e.Type)
				}
				leads = append(leads, *e.Changes[0].After)
			}
			return slices.Compact(leads)
		}
		if got := told(23); fmt.Sprint(got) != "[P7D]" {
			t.Errorf("a week before: %v", got)
		}
		leads(lifecycle.Days(4), lifecycle.Days(10), lifecycle.Days(7))
		if got := told(24); len(got) != 0 {
			t.Errorf("lead times of the past are told: %v", got)
		}
		if got := told(26); fmt.Sprint(got) != "[P4D]" {
			t.Errorf("four days before: %v", got)
		}
		leads()
		if got := told(29); len(got) != 0 {
			t.Errorf("without lead times: %v", got)
		}
	})
}

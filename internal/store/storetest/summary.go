package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// around is what a summary counts besides the key sets themselves.
type around struct {
	requests   []lifecycle.ApprovalRequest
	milestones []lifecycle.Milestone
}

// stockAround gives some key sets milestones and requests of every status, about as old as the key sets.
func (c *catalogue) stockAround(t *testing.T, db Database) around {
	t.Helper()
	r, w := rand.New(rand.NewPCG(7, 7)), newWorld()
	w.tenant = c.tenant
	var a around
	for i, set := range c.keySets {
		at := start.AddDate(0, 0, r.IntN(7)-3)
		a.milestones = append(a.milestones, lifecycle.Milestone{
			ID: id[lifecycle.MilestoneID](lifecycle.KindMilestone), TenantID: c.tenant.ID, KeySetID: set.ID, Kind: lifecycle.MilestoneExpiration,
			Status: pick(r, []lifecycle.MilestoneStatus{lifecycle.MilestonePlanned, lifecycle.MilestoneDone, lifecycle.MilestoneCanceled}), PlannedAt: &at, CreatedAt: start,
		})
		if i%3 > 0 {
			continue
		}
		request := w.newApproval(string(set.ID), lifecycle.ApprovalToRenew)
		request.KeySetID, request.ApplicationID, request.EnvironmentID = &set.ID, set.ApplicationID, set.EnvironmentID
		request.Status, request.ExpiresAt = pick(r, lifecycle.AllApprovalStatus()), []*time.Time{nil, &at}[i%2]
		if i%2 == 0 {
			request.Status = lifecycle.ApprovalPending
		}
		a.requests = append(a.requests, request)
	}
	insert(t, db, &a.milestones, &a.requests)
	return a
}

// summary works a summary out without a database.
func (c *catalogue) summary(a around, matching []string, leadTimes []lifecycle.Duration, now manage.Moment) query.KeySetSummary {
	s := query.KeySetSummary{ByStatus: []query.KeySetStatusCount{}, Expiring: []query.KeySetLeadTimeCount{}, TotalCount: len(matching)}
	byStatus, waiting, claimable := make(map[lifecycle.KeySetStatus]int), map[lifecycle.KeySetID]bool{}, map[lifecycle.KeySetID]bool{}
	for _, r := range a.requests {
		waiting[*r.KeySetID] = waiting[*r.KeySetID] || r.StatusAt(now.Now) == lifecycle.ApprovalPending
	}
	for _, k := range c.keys {
		claimable[k.KeySetID] = claimable[k.KeySetID] || k.IsLatest && k.ClaimableUntil != nil && now.Now.Before(*k.ClaimableUntil)
	}
	slices.SortStableFunc(leadTimes, func(a, b lifecycle.Duration) int {
		return a.AddTo(now.Now, now.Zone).Compare(b.AddTo(now.Now, now.Zone))
	})
	for _, within := range leadTimes {
		s.Expiring = append(s.Expiring, query.KeySetLeadTimeCount{Within: within})
	}
	quarter := now.Now.Add(-query.UnusedAfter)
	for _, set := range c.keySets {
		if !slices.Contains(matching, string(set.ID)) {
			continue
		}
		status := set.StatusAt(now.Now)
		byStatus[status]++
		isLiving := status == lifecycle.KeySetActive || status == lifecycle.KeySetSuspended
		for i, within := range leadTimes {
			if isLiving && set.ExpiresAt != nil && !set.ExpiresAt.After(within.AddTo(now.Now, now.Zone)) {
				s.Expiring[i].Count++
			}
		}
		if status == lifecycle.KeySetPending || waiting[set.ID] {
			s.PendingCount++
		}
		if isLiving && claimable[set.ID] {
			s.ClaimableCount++
		}
		if status == lifecycle.KeySetActive && !set.CreatedAt.After(quarter) && (set.LastUsedAt == nil || !set.LastUsedAt.After(quarter)) {
			s.UnusedCount++
		}
	}
	for _, m := range a.milestones {
		if slices.Contains(matching, string(m.KeySetID)) && m.StatusAt(now.Now) == lifecycle.MilestoneOverdue {
			s.OverdueMilestoneCount++
		}
	}
	for _, status := range lifecycle.AllKeySetStatus() {
		if byStatus[status] > 0 {
			s.ByStatus = append(s.ByStatus, query.KeySetStatusCount{Status: status, Count: byStatus[status]})
		}
	}
	return s
}

func testSummary(t *testing.T, db Database, c *catalogue) {
	a, n := c.stockAround(t, db), c.noun("KeySets")
	berlin, err := time.LoadLocation("Europe/Berlin")
	no(t, err)
	rapid.Check(t, func(r *rapid.T) {
		q := question{now: manage.Moment{Zone: berlin}}
		var filter *query.KeySetFilter
		if rapid.Bool().Draw(r, "filtered") {
			filter = &query.KeySetFilter{}
			c.drawFilter(r, reflect.ValueOf(filter).Elem(), 2)
			q.filter = filter
		}
		days := rapid.OneOf(rapid.IntRange(-4, 4), rapid.IntRange(86, 94)).Draw(r, "days")
		q.now.Now = start.AddDate(0, 0, days).Add(time.Duration(rapid.IntRange(-1, 3).Draw(r, "µs")) * time.Microsecond)
		var leadTimes []lifecycle.Duration
		for range rapid.IntRange(0, 4).Draw(r, "lead times") {
			within, err := lifecycle.ParseDuration(rapid.SampledFrom([]string{"P1D", "PT24H", "P2D", "P7D", "P1M", "PT1S", "P900Y"}).Draw(r, "within"))
			no(t, err)
			leadTimes = append(leadTimes, within)
		}
		got, err := db.KeySetSummary(t.Context(), c.tenant.ID, filter, slices.Clone(leadTimes), q.now)
		if err != nil {
			r.Fatal(err)
		}
		if want := c.summary(a, c.sorted(n, q), leadTimes, q.now); !reflect.DeepEqual(got, want) {
			r.Fatalf("at %s:\n%+v, want\n%+v", q.now.Now, got, want)
		}
	})
	_, err = db.KeySetSummary(t.Context(), c.tenant.ID, nil, []lifecycle.Duration{lifecycle.Days(1), {}}, moment())
	refusedAt(t, err, lifecycle.CodeInvalid, "leadTimes.1")
	_, err = db.KeySetSummary(t.Context(), c.tenant.ID, nil, make([]lifecycle.Duration, query.MaxLeadTimes+1), moment())
	refusedAt(t, err, lifecycle.CodeTooLong, "leadTimes")
	_, err = db.KeySetSummary(t.Context(), c.tenant.ID, &query.KeySetFilter{Name: &query.StringComparator{Eq: ptr("\x00")}}, nil, moment())
	refusedAt(t, err, lifecycle.CodeInvalid, "filter.name.eq")
	stranger, err := db.KeySetSummary(t.Context(), "ten_x", nil, nil, moment())
	no(t, err)
	if text := fmt.Sprint(stranger); text != fmt.Sprint(query.KeySetSummary{}) {
		t.Errorf("P6: another tenant sees %s", text)
	}
}

package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
)

// end is the instant that a lead time reaches to.
type end struct {
	within lifecycle.Duration
	at     time.Time
}

// measured is one line of what a summary counts: a measure, and for some of them a status and a place among the lead times.
type measured struct {
	Measure string
	Word    string
	Place   int
	Number  int
}

// KeySetSummary implements [manage.Reader]. It is one statement, so that its counts are of one instant. Of all key sets each
// measure is read of an index: statuses as they are recorded; then what has expired without being recorded, which is
// little; and what ends within the longest lead time, of which the index alone says enough. What a filter finds is read
// once, and measured then.
func (s *Store) KeySetSummary(ctx context.Context, tenant lifecycle.TenantID, filter *query.KeySetFilter, leadTimes []lifecycle.Duration, now manage.Moment) (query.KeySetSummary, error) {
	c := &asking{dialect: s.dialect, tenant: tenant, now: now}
	matching, ends := c.own("key_sets", filterOf(c, filter, filterKeySets)), c.ends(leadTimes)
	if c.refused != nil {
		return query.KeySetSummary{}, c.refused
	}
	var lines []measured
	if err := s.read.NewRaw("?", c.measures(matching, filter != nil, ends)).Scan(ctx, &lines); err != nil {
		return query.KeySetSummary{}, fmt.Errorf("summarize key sets: %w", s.explain(ctx, err))
	}
	return summaryOf(lines, ends), nil
}

// ends resolves lead times, shortest first.
func (c *asking) ends(leadTimes []lifecycle.Duration) []end {
	defer c.enter("leadTimes")()
	if len(leadTimes) > query.MaxLeadTimes {
		c.refuse(tooLong(fmt.Sprintf("has %d members; at most %d are allowed", len(leadTimes), query.MaxLeadTimes)))
		return nil
	}
	ends := make([]end, len(leadTimes))
	for i, within := range leadTimes {
		if within.IsZero() || within.IsNegative() {
			c.refuse(lifecycle.Invalid("must be longer than zero"), strconv.Itoa(i))
		}
		ends[i] = end{within: within, at: storable(within.AddTo(c.now.Now, c.now.Zone))}
	}
	slices.SortStableFunc(ends, func(a, b end) int { return a.at.Compare(b.at) })
	return ends
}

const (
	measureStatus    = "STATUS"
	measureExpired   = "EXPIRED" // not recorded yet
	measureEnd       = "END"     // place n: within the lead time n, and no shorter one
	measureOverdue   = "OVERDUE"
	measurePending   = "PENDING"
	measureClaimable = "CLAIMABLE"
	measureUnused    = "UNUSED"
)

// measures is the statement of a summary.
func (c *asking) measures(matching cond, isFiltered bool, ends []end) cond {
	now := storable(c.now.Now)
	overdue := sqlf("milestones.tenant_id = ? AND milestones.status = 'PLANNED' AND milestones.planned_at <= ?", string(c.tenant), now)
	m := measuring{from: "key_sets", matching: matching}
	if isFiltered {
		m = measuring{from: "matching AS key_sets", read: sqlf(`WITH matching AS MATERIALIZED (SELECT key_sets.id, key_sets.status, key_sets.expires_at,
			key_sets.last_used_at, key_sets.created_at FROM key_sets WHERE ?) `, matching)}
		overdue = all(overdue, sqlf("milestones.key_set_id IN (SELECT id FROM matching)"))
	}
	statement := m.byStatus(measureStatus, nil)
	for _, part := range []cond{
		m.byStatus(measureExpired, all(isOneOf("key_sets.status", expiring), sqlf("key_sets.expires_at <= ?", now))),
		m.byEnd(now, ends),
		sqlf("SELECT ? AS measure, '' AS word, 0 AS place, count(*) AS number FROM milestones WHERE ?", measureOverdue, overdue),
		m.count(measurePending, sqlf(`key_sets.status <> 'PENDING' AND key_sets.id IN (SELECT r.key_set_id FROM approval_requests r
			WHERE r.tenant_id = ? AND r.status = 'PENDING' AND (r.expires_at IS NULL OR r.expires_at > ?))`, string(c.tenant), now)),
		m.count(measureClaimable, all(c.isLiving(), sqlf(`key_sets.id IN (SELECT k.key_set_id FROM keys k
			WHERE k.tenant_id = ? AND k.is_latest AND k.claimable_until > ?)`, string(c.tenant), now))),
		m.count(measureUnused, all(c.isLiving(), c.isUnused())),
	} {
		statement = sqlf("? UNION ALL ?", statement, part)
	}
	if m.read == nil {
		return statement
	}
	return sqlf("? ?", m.read, statement)
}

// measuring is where the key sets come from that are measured, named key_sets.
type measuring struct {
	from     string
	matching cond // which of them; nil: all
	read     cond // the statement's beginning, which reads them; nil: none
}

func (m measuring) count(measure string, where cond) cond {
	return sqlf("SELECT ? AS measure, '' AS word, 0 AS place, count(*) AS number FROM "+m.from+" WHERE ?", measure, all(m.matching, where))
}

// byStatus counts by recorded status: all, or some that are found otherwise. An index of statuses serves only all: SQLite would
// take it for the groups and read whatever is active.
func (m measuring) byStatus(measure string, where cond) cond {
	word := "key_sets.status"
	if where != nil {
		word += " || ''"
	}
	return sqlf("SELECT ? AS measure, "+word+" AS word, 0 AS place, count(*) AS number FROM "+m.from+" WHERE ? GROUP BY "+word,
		measure, all(m.matching, where))
}

// byEnd counts what ends within each lead time.
func (m measuring) byEnd(now time.Time, ends []end) cond {
	place, last := sqlf("CASE"), now
	for i, e := range ends {
		place, last = sqlf("? WHEN key_sets.expires_at <= ? THEN ?", place, e.at, i+1), e.at
	}
	if len(ends) == 0 {
		place = sqlf("CASE WHEN TRUE THEN 0")
	}
	where := all(m.matching, isOneOf("key_sets.status", expiring), sqlf("key_sets.expires_at > ? AND key_sets.expires_at <= ?", now, last))
	return sqlf("SELECT ? AS measure, '' AS word, e.place, count(*) AS number FROM (SELECT ? END AS place FROM "+m.from+" WHERE ?) e GROUP BY e.place",
		measureEnd, place, where)
}

// isLiving holds for key sets that are active or suspended at the instant.
func (c *asking) isLiving() cond {
	return all(isOneOf("key_sets.status", expiring), sqlf(c.orNever("key_sets.expires_at")+" > ?", storable(c.now.Now)))
}

// isUnused holds for active key sets that were not used for a while, and are older than that.
func (c *asking) isUnused() cond {
	since, never := query.At(c.now.Now.Add(-query.UnusedAfter)), true
	return all(
		sqlf("key_sets.status = 'ACTIVE'"), c.instant("key_sets.created_at", &query.DateTimeComparator{Lte: &since}),
		either(
			c.instantOrNever("key_sets.last_used_at", &query.DateTimeComparator{Lte: &since}),
			c.instantOrNever("key_sets.last_used_at", &query.DateTimeComparator{IsNull: &never}),
		),
	)
}

func summaryOf(lines []measured, ends []end) query.KeySetSummary {
	summary := query.KeySetSummary{ByStatus: []query.KeySetStatusCount{}, Expiring: make([]query.KeySetLeadTimeCount, len(ends))}
	byStatus := make(map[lifecycle.KeySetStatus]int)
	for i, e := range ends {
		summary.Expiring[i].Within = e.within
	}
	for _, line := range lines {
		status := lifecycle.KeySetStatus(line.Word)
		switch line.Measure {
		case measureStatus:
			byStatus[status] += line.Number
			summary.TotalCount += line.Number
		case measureExpired:
			byStatus[status] -= line.Number
			byStatus[lifecycle.KeySetExpired] += line.Number
		case measureEnd:
			for i := line.Place - 1; i < len(ends); i++ {
				summary.Expiring[i].Count += line.Number
			}
		case measureOverdue:
			summary.OverdueMilestoneCount = line.Number
		case measurePending:
			summary.PendingCount += line.Number
		case measureClaimable:
			summary.ClaimableCount = line.Number
		case measureUnused:
			summary.UnusedCount = line.Number
		}
	}
	summary.PendingCount += byStatus[lifecycle.KeySetPending]
	for _, status := range lifecycle.AllKeySetStatus() {
		if n := byStatus[status]; n > 0 {
			summary.ByStatus = append(summary.ByStatus, query.KeySetStatusCount{Status: status, Count: n})
		}
	}
	return summary
}

// OutdatedKeySets implements [manage.Reader].
func (s *Store) OutdatedKeySets(ctx context.Context, tenant lifecycle.TenantID, of []lifecycle.PolicyTemplateID, now time.Time) (map[lifecycle.PolicyTemplateID]int, error) {
	var rows []struct {
		TemplateID lifecycle.PolicyTemplateID
		Number     int
	}
	c := &asking{dialect: s.dialect, tenant: tenant, now: manage.Moment{Now: now, Zone: time.UTC}}
	err := s.read.NewRaw(`SELECT o.template_id, count(*) AS number FROM policies o
		JOIN policy_templates t ON t.id = o.template_id AND t.revision <> o.revision JOIN key_sets ON key_sets.policy_id = o.id
		WHERE o.tenant_id = ? AND o.template_id IN (?) AND ? GROUP BY o.template_id`,
		tenant, bun.List(texts(of)), either(sqlf("key_sets.status = 'PENDING'"), c.isLiving())).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("count key sets of earlier revisions: %w", s.explain(ctx, err))
	}
	counts := make(map[lifecycle.PolicyTemplateID]int, len(rows))
	for _, row := range rows {
		counts[row.TemplateID] = row.Number
	}
	return counts, nil
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/internal/lifecycle"
)

// factsRow is what one row can say of a key; the columns carry the names of Facts' members.
type factsRow struct {
	lifecycle.Facts
	Position    int64
	OAuthClient *lifecycle.OAuthClient `bun:"oauth_client,type:jsonb"`
	APIs        *string                `bun:"apis"` // ids with commas in between
	IsLatest    bool
	RotatesAt   *time.Time // of the key set
	lifecycle.NoticeLadder
}

// selectFacts is one statement, so that the position of the log is that of the same instant. LIST stands for the aggregate
// that makes a text of many values, which the databases call differently.
const selectFacts = `SELECT (SELECT position FROM log_positions) AS position, t.id AS tenant_id, t.status AS tenant_status,
		a.id AS application_id, a.status AS application_status,
		e.id AS environment_id, e.slug AS environment_slug,
		s.id AS key_set_id, s.status AS key_set_status, s.authentication_type AS authentication, s.oauth_client,
		k.id AS key_id, k.status AS key_status, k.expires_at, k.retires_at, p.limits, t.time_zone,
		k.is_latest, s.rotates_at, t.expiration_notice_lead_times,
		(SELECT LIST(p.id, ',') FROM api_subscription_key_sets l
			JOIN api_subscriptions b ON b.id = l.subscription_id AND b.status = 'ACTIVE'
			JOIN apis p ON p.id = b.api_id AND p.status <> 'RETIRED'
			WHERE l.key_set_id = s.id) AS apis
	FROM keys k
	JOIN key_sets s ON s.id = k.key_set_id
	JOIN policies p ON p.id = s.policy_id
	JOIN applications a ON a.id = s.application_id
	JOIN environments e ON e.id = s.environment_id
	JOIN tenants t ON t.id = k.tenant_id
	WHERE k.digest = $1 AND k.tenant_id = $2`

// Facts implements [manage.Store].
func (s *Store) Facts(ctx context.Context, tenant lifecycle.TenantID, digest []byte) (lifecycle.Facts, int64, error) {
	row, position, err := s.factsAt(ctx, tenant, digest)
	if err != nil {
		return lifecycle.Facts{}, position, fmt.Errorf("find the facts of a key: %w", s.explain(ctx, err))
	}
	if row.APIs != nil {
		ids := strings.Split(*row.APIs, ",")
		slices.Sort(ids)
		for _, id := range slices.Compact(ids) {
			row.AuthorizedAPIs = append(row.AuthorizedAPIs, lifecycle.APIID(id))
		}
	}
	if row.OAuthClient != nil {
		row.ClientType = row.OAuthClient.ClientType
	}
	row.Scopes = row.Limits.Grant(row.OAuthClient)
	if row.Limits == nil || row.Limits.Quota == nil {
		row.TimeZone = "" // nothing depends on it
	}
	if !row.IsLatest {
		row.RotatesAt = nil // it has been replaced already
	}
	row.NoticeWithin = row.NoticeFor(row.EndsAt(), row.RotatesAt)
	return row.Facts, position, nil
}

// factsAt reads the facts and the position of the log as of which they are right. That there are none is right as of a
// position that was read before.
func (s *Store) factsAt(ctx context.Context, tenant lifecycle.TenantID, digest []byte) (row factsRow, position int64, err error) {
	err = s.keyFacts.read(ctx, s.read, &row, digest, string(tenant))
	if errors.Is(err, sql.ErrNoRows) {
		if position, err = s.LogPosition(ctx); err != nil {
			return row, 0, err
		}
		err = s.keyFacts.read(ctx, s.read, &row, digest, string(tenant))
	}
	return row, max(position, row.Position), err
}

// TenantOfKey implements [manage.Store].
func (s *Store) TenantOfKey(ctx context.Context, digest []byte) (lifecycle.TenantID, error) {
	var tenant lifecycle.TenantID
	err := s.read.NewRaw("SELECT tenant_id FROM keys WHERE digest = ?", digest).Scan(ctx, &tenant)
	if err != nil {
		return "", fmt.Errorf("find the tenant of a key: %w", s.explain(ctx, err))
	}
	return tenant, nil
}

// DigestOf implements [manage.Store].
func (s *Store) DigestOf(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.KeyID) ([]byte, error) {
	var digest []byte
	err := s.read.NewRaw("SELECT digest FROM keys WHERE id = ? AND tenant_id = ?", id, tenant).Scan(ctx, &digest)
	if err != nil {
		return nil, fmt.Errorf("find the digest of a key: %w", s.explain(ctx, err))
	}
	return digest, nil
}

// GatewayFacts implements [manage.Store].
func (s *Store) GatewayFacts(ctx context.Context, digest []byte) (lifecycle.GatewayFacts, int64, error) {
	position, err := s.LogPosition(ctx)
	if err != nil {
		return lifecycle.GatewayFacts{}, 0, err
	}
	var facts lifecycle.GatewayFacts
	err = s.read.NewRaw(`SELECT g.id AS gateway_id, g.dialect, g.is_reason_shown, t.id AS tenant_id, t.status AS tenant_status,
			e.id AS environment_id, e.slug AS environment_slug, e.is_query_credential_allowed,
			coalesce(e.verdict_max_age_seconds, 0) AS verdict_max_age_seconds
		FROM gateways g
		JOIN environments e ON e.tenant_id = g.tenant_id AND e.id = g.environment_id
		JOIN tenants t ON t.id = g.tenant_id
		WHERE g.digest = ?`, digest).Scan(ctx, &facts)
	if err != nil {
		return lifecycle.GatewayFacts{}, position, fmt.Errorf("find the facts of a gateway: %w", s.explain(ctx, err))
	}
	return facts, position, nil
}

// Digests implements [manage.Store]. It goes by id: one that is taken later may sort before one that was read, but was
// then not committed when the reading began.
func (s *Store) Digests(ctx context.Context, after string, limit int) ([][]byte, string, error) {
	var rows []struct {
		ID     string
		Digest []byte
	}
	err := s.read.NewSelect().Table("keys").Column("id", "digest").Where("id > ?", after).Order("id").Limit(int64(limit)).Scan(ctx, &rows)
	if err != nil {
		return nil, "", fmt.Errorf("list digests of keys: %w", s.explain(ctx, err))
	}
	digests, next := make([][]byte, len(rows)), ""
	for i, row := range rows {
		digests[i] = row.Digest
	}
	if len(rows) == limit {
		next = rows[limit-1].ID
	}
	return digests, next, nil
}

// DigestsBelow implements [manage.Store]. Events of a tenant, an environment or an API touch more than one
// application: what is below those is listed, too.
func (s *Store) DigestsBelow(ctx context.Context, events []lifecycle.Event, limit int) (map[lifecycle.TenantID][][]byte, error) {
	below := map[lifecycle.TenantID][][]byte{}
	for tenant, events := range groupBy(events, func(e lifecycle.Event) lifecycle.TenantID { return e.TenantID }) {
		digests, err := s.digestsBelow(ctx, tenant, touchedBy(events), limit+1)
		if err != nil {
			return nil, fmt.Errorf("list digests of keys: %w", s.explain(ctx, err))
		}
		if len(digests) > 0 {
			below[tenant] = digests
		}
	}
	return below, nil
}

// digestsBelow lists some of them at most. It asks for each kind on its own: with conditions of several kinds PostgreSQL reads
// every key of the tenant.
func (s *Store) digestsBelow(ctx context.Context, tenant lifecycle.TenantID, t touched, most int) ([][]byte, error) {
	keys := func() *bun.SelectQuery {
		return s.read.NewSelect().ColumnExpr("k.digest").Where("k.tenant_id = ?", tenant)
	}
	var queries []*bun.SelectQuery
	if t.all {
		queries = append(queries, keys().TableExpr("keys AS k"))
	}
	for _, kind := range []struct {
		from, at string
		ids      []string
	}{
		{"keys AS k", "k.key_set_id", t.sets},
		{"key_sets AS s JOIN keys AS k ON k.key_set_id = s.id", "s.application_id", t.apps},
		{"key_sets AS s JOIN keys AS k ON k.key_set_id = s.id", "s.environment_id", t.envs},
		{`api_subscriptions AS b JOIN api_subscription_key_sets AS l ON l.subscription_id = b.id
			JOIN keys AS k ON k.key_set_id = l.key_set_id`, "b.api_id", t.apis},
	} {
		for ids := range slices.Chunk(kind.ids, batch) {
			queries = append(queries, keys().TableExpr(kind.from).Where(kind.at+" IN (?)", bun.List(ids)))
		}
	}
	found := map[string]bool{}
	for _, q := range queries {
		var digests [][]byte
		if err := q.Limit(int64(most)).Scan(ctx, &digests); err != nil {
			return nil, err
		}
		for _, digest := range digests {
			if len(found) < most {
				found[string(digest)] = true
			}
		}
	}
	all := make([][]byte, 0, len(found))
	for digest := range found {
		all = append(all, []byte(digest))
	}
	return all, nil
}

// touched is what events of a tenant can touch the verdicts of.
type touched struct {
	all                    bool // keys of the tenant
	sets, apps, envs, apis []string
}

func touchedBy(events []lifecycle.Event) touched {
	var t touched
	for _, e := range events {
		switch kind, _ := lifecycle.KindOf(e.SubjectID); {
		case e.KeySetID != nil:
			t.sets = append(t.sets, string(*e.KeySetID))
		case e.ApplicationID != nil:
			t.apps = append(t.apps, string(*e.ApplicationID))
		case e.Type == lifecycle.EventTenantSuspended, e.Type == lifecycle.EventTenantReactivated:
			t.all = true
		case kind == lifecycle.KindEnvironment:
			t.envs = append(t.envs, e.SubjectID)
		case kind == lifecycle.KindAPI:
			t.apis = append(t.apis, e.SubjectID)
		}
	}
	return t
}

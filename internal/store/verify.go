package store

import (
	"cmp"
	"context"
	"crypto/hmac"
	"database/sql"
	"fmt"
	"slices"
	"strconv"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// VerifyLog implements [manage.Store]. It reads one snapshot from the first position to the last, while others may
// go on writing. What no log can notice by itself is a database that was set back, as a whole, to what it once was.
func (s *Store) VerifyLog(ctx context.Context, report func(tenant lifecycle.TenantID, events int64)) error {
	snapshot, err := s.read.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin to read the log: %w", plain(err))
	}
	defer func() { _ = snapshot.Rollback() }() // it has only read
	v := verification{store: s, ends: map[lifecycle.TenantID]*chainEnd{}}
	if err := v.readEnds(ctx, snapshot); err != nil {
		return fmt.Errorf("read where the log ends: %w", plain(err))
	}
	tampered, err := v.readEvents(ctx, snapshot)
	if err != nil {
		return fmt.Errorf("read the log: %w", plain(err))
	}
	ends := v.sortedEnds()
	for i := 0; tampered == nil && i < len(ends); i++ {
		tampered = v.compare(ends[i])
	}
	if tampered == nil {
		tampered = v.comparePositions()
	}
	if tampered != nil {
		return tampered
	}
	for _, end := range ends {
		report(end.tenant, end.sequence)
	}
	return nil
}

// verification is what is known of the log up to the row that is read next.
type verification struct {
	store    *Store
	position int64 // of the row before
	gap      bool  // whether a position is missing, stands twice or is none
	ends     map[lifecycle.TenantID]*chainEnd
	counter  struct { // log_positions as text
		Position, ChainVersion string
		Seal                   []byte
	}
}

// chainEnd is where the chain of a tenant stands, and where it has to arrive.
type chainEnd struct {
	tenant   lifecycle.TenantID
	sequence int64
	version  int
	hash     []byte
	head     headRow
}

// headRow is a row of log_heads as text. What is null is not there.
type headRow struct {
	Tenant                 lifecycle.TenantID
	Sequence, ChainVersion *string
	Hash                   []byte
}

func (v *verification) readEnds(ctx context.Context, in bun.IDB) error {
	var heads []headRow
	err := in.NewRaw(`SELECT t.id AS tenant, CAST(h.sequence AS text) AS sequence,
			CAST(h.chain_version AS text) AS chain_version, h.hash
		FROM (SELECT id FROM tenants UNION SELECT tenant_id FROM log_heads) t
		LEFT JOIN log_heads h ON h.tenant_id = t.id`).Scan(ctx, &heads)
	if err != nil {
		return err
	}
	for _, head := range heads {
		v.ends[head.Tenant] = &chainEnd{tenant: head.Tenant, head: head}
	}
	err = in.NewRaw(`SELECT CAST(position AS text) AS position, CAST(chain_version AS text) AS chain_version, seal
		FROM log_positions`).Scan(ctx, &v.counter)
	return err
}

// readEvents follows all chains at once, in the order of positions.
func (v *verification) readEvents(ctx context.Context, in bun.IDB) (*manage.LogTampered, error) {
	// The time as text, in the form in which it was chained.
	occurredAt := `rtrim(rtrim(to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), '0'), '.') || '+00:00'`
	if v.store.dialect == sqlite {
		occurredAt = "CAST(occurred_at AS text)"
	}
	rows, err := in.NewSelect().Model((*logRow)(nil)).ExcludeColumn("occurred_at").
		ColumnExpr(occurredAt + " AS occurred_at").Order("position").Rows(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err says what matters
	for rows.Next() {
		var row logRow
		if err := v.store.read.ScanRow(ctx, rows, &row); err != nil {
			return tamperedAt(lifecycle.TenantID(row.TenantID), 0, "a row of the log after position %d cannot be read", v.position), nil
		}
		if tampered := v.follow(&row); tampered != nil {
			return tampered, nil
		}
	}
	return nil, rows.Err()
}

// follow checks that the row is the next of its tenant's chain.
func (v *verification) follow(row *logRow) *manage.LogTampered {
	position, err := strconv.ParseInt(row.Position, 10, 64)
	v.gap = v.gap || err != nil || position != v.position+1
	v.position = position

	tenant := lifecycle.TenantID(row.TenantID)
	end := v.ends[tenant]
	if end == nil {
		return tamperedAt(tenant, 0, "position %s belongs to a tenant that does not exist", row.Position)
	}
	next := end.sequence + 1
	if row.Sequence != number(next) {
		return tamperedAt(tenant, next, "event %d is missing or out of order: event %s follows event %d", next, row.Sequence, end.sequence)
	}
	version, err := strconv.Atoi(row.ChainVersion)
	if end.sequence == 0 {
		end.hash = startMAC(v.store.chain, version, tenant)
	}
	mac := row.mac(v.store.chain, version, end.hash)
	switch {
	case err != nil || mac == nil:
		return tamperedAt(tenant, next, "event %d is chained with version %s of the server secret, which is not known here", next, row.ChainVersion)
	case !hmac.Equal(mac, row.Hash):
		return tamperedAt(tenant, next, "event %d is not what was written, or does not follow what was written before it", next)
	}
	end.sequence, end.version, end.hash = next, version, endMAC(v.store.chain, version, mac)
	return nil
}

// compare checks that the chain stops where it was left.
func (v *verification) compare(end *chainEnd) *manage.LogTampered {
	if end.head.Sequence == nil || end.head.ChainVersion == nil {
		return tamperedAt(end.tenant, end.sequence+1, "the end of the log is not recorded")
	}
	sequence, err := strconv.ParseInt(*end.head.Sequence, 10, 64)
	version, versionErr := strconv.Atoi(*end.head.ChainVersion)
	if end.sequence == 0 && versionErr == nil {
		end.version, end.hash = version, startMAC(v.store.chain, version, end.tenant)
	}
	switch {
	case err != nil || versionErr != nil:
		return tamperedAt(end.tenant, end.sequence+1, "the recorded end of the log is no number")
	case sequence > end.sequence:
		return tamperedAt(end.tenant, end.sequence+1, "event %d is missing: the log ends at event %d", end.sequence+1, sequence)
	case sequence < end.sequence:
		return tamperedAt(end.tenant, sequence+1, "event %d stands after the end of the log", sequence+1)
	case end.hash == nil:
		return tamperedAt(end.tenant, end.sequence+1, "the end of the log is sealed with version %d of the server secret, which is not known here", version)
	case version != end.version || !hmac.Equal(end.hash, end.head.Hash):
		return tamperedAt(end.tenant, end.sequence+1, "the log does not end where it was left")
	}
	return nil
}

// comparePositions checks what the chains cannot see: the log of all tenants.
func (v *verification) comparePositions() *manage.LogTampered {
	version, err := strconv.Atoi(v.counter.ChainVersion)
	switch {
	case v.gap:
		return tamperedAt("", 0, "the positions of the log are not consecutive")
	case err != nil || v.counter.Position != number(v.position):
		return tamperedAt("", 0, "the log ends at position %d and not at %s, where it was left", v.position, v.counter.Position)
	case v.position == 0 && version == 0:
		return nil // nothing was ever recorded
	case !hmac.Equal(positionMAC(v.store.chain, version, v.position), v.counter.Seal):
		return tamperedAt("", 0, "the seal over the last position is not valid")
	}
	return nil
}

func (v *verification) sortedEnds() []*chainEnd {
	ends := make([]*chainEnd, 0, len(v.ends))
	for _, end := range v.ends {
		ends = append(ends, end)
	}
	slices.SortFunc(ends, func(a, b *chainEnd) int { return cmp.Compare(a.tenant, b.tenant) })
	return ends
}

func tamperedAt(tenant lifecycle.TenantID, sequence int64, format string, args ...any) *manage.LogTampered {
	return &manage.LogTampered{TenantID: tenant, Sequence: sequence, Problem: fmt.Sprintf(format, args...)}
}

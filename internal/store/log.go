package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/keywright/keywright/internal/lifecycle"
)

// The log is chained with the server secret, which the database does not hold. With h for the MAC and every part
// told apart from the next:
//
//	start(tenant) = h("start", tenant)
//	event(i)      = h("event", end(i-1), every column of the row)   stored with the row
//	end(i)        = h("end", event(i))                              stored in log_heads, for the newest only
//	seal          = h("position", p)                                stored in log_positions
//
// Only who holds the secret can tell where a shortened log would have to end.

// logRow is an event as the text that stands in its columns: what is chained is exactly what is stored.
type logRow struct {
	bun.BaseModel `bun:"table:events"`

	ID            string
	TenantID      string
	Position      string
	Sequence      string
	Type          string
	OccurredAt    string
	ActorKind     string
	ActorID       string
	ActorName     string
	SubjectID     string
	Summary       string
	Changes       string
	Comment       *string
	CorrelationID string
	IPAddress     *string `bun:"ip_address"`
	ApplicationID *string
	EnvironmentID *string
	KeySetID      *string
	ChainVersion  string
	Hash          []byte
}

// logHead is where the log of a tenant ends.
type logHead struct {
	TenantID     lifecycle.TenantID
	Sequence     int64
	ChainVersion int
	Hash         []byte
}

// storedTime is the form in which bun writes a time, always in UTC.
const storedTime = "2006-01-02 15:04:05.999999-07:00"

func newLogRow(e lifecycle.Event, version int) (logRow, error) {
	if !e.Type.IsValid() || e.Actor.Kind == "" {
		return logRow{}, fmt.Errorf("an event of type %q by an actor of kind %q cannot be recorded", e.Type, e.Actor.Kind)
	}
	changes := []byte("[]")
	if len(e.Changes) > 0 {
		var err error
		if changes, err = json.Marshal(e.Changes); err != nil {
			return logRow{}, fmt.Errorf("write the changes of an event: %w", err)
		}
	}
	return logRow{
		ID: clean(e.ID), TenantID: clean(e.TenantID), Position: number(e.Position), Sequence: number(e.Sequence),
		Type: clean(e.Type), OccurredAt: e.OccurredAt.UTC().Format(storedTime),
		ActorKind: clean(e.Actor.Kind), ActorID: clean(e.Actor.ID), ActorName: clean(e.Actor.Name),
		SubjectID: clean(e.SubjectID), Summary: clean(e.Summary), Changes: string(changes), Comment: cleanPointer(e.Comment),
		CorrelationID: clean(e.CorrelationID), IPAddress: cleanPointer(e.IPAddress), ApplicationID: cleanPointer(e.ApplicationID),
		EnvironmentID: cleanPointer(e.EnvironmentID), KeySetID: cleanPointer(e.KeySetID), ChainVersion: strconv.Itoa(version),
	}, nil
}

// clean does what bun does to a text on its way into a statement: bytes that are no UTF-8 become U+FFFD.
func clean[S ~string](s S) string { return string([]rune(string(s))) }

func cleanPointer[S ~string](s *S) *string {
	if s == nil {
		return nil
	}
	text := clean(*s)
	return &text
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// mac is event(i). A column that may be null says in its first byte whether it is.
func (r *logRow) mac(chain Chain, version int, end []byte) []byte {
	parts := [][]byte{[]byte("event"), end}
	for _, text := range []string{
		r.ID, r.TenantID, r.Position, r.Sequence, r.Type, r.OccurredAt, r.ActorKind, r.ActorID, r.ActorName,
		r.SubjectID, r.Summary, r.Changes, r.CorrelationID, r.ChainVersion,
	} {
		parts = append(parts, []byte(text))
	}
	for _, text := range []*string{r.Comment, r.IPAddress, r.ApplicationID, r.EnvironmentID, r.KeySetID} {
		if text == nil {
			parts = append(parts, []byte{0})
		} else {
			parts = append(parts, append([]byte{1}, *text...))
		}
	}
	return chain.ChainMAC(version, parts...)
}

func startMAC(chain Chain, version int, tenant lifecycle.TenantID) []byte {
	return chain.ChainMAC(version, []byte("start"), []byte(tenant))
}

func endMAC(chain Chain, version int, event []byte) []byte {
	return chain.ChainMAC(version, []byte("end"), event)
}

func positionMAC(chain Chain, version int, position int64) []byte {
	return chain.ChainMAC(version, []byte("position"), []byte(number(position)))
}

// startLog begins the log of a new tenant.
func (t *tx) startLog(ctx context.Context, tenant lifecycle.TenantID) error {
	version := t.store.chain.Current()
	head := logHead{TenantID: tenant, ChainVersion: version, Hash: startMAC(t.store.chain, version, tenant)}
	if _, err := t.NewInsert().Model(&head).Exec(ctx); err != nil {
		return fmt.Errorf("start the log of a tenant: %w", t.store.explain(ctx, err))
	}
	return nil
}

// appendToLog numbers and chains the recorded events and writes them: the last thing a transaction does. From the
// first statement on it is alone with the log until it commits, which is why numbers appear in commit order.
func (t *tx) appendToLog(ctx context.Context) (int64, error) {
	if len(t.events) == 0 {
		return 0, nil
	}
	position, heads, err := t.lockLog(ctx)
	if err != nil {
		return 0, fmt.Errorf("lock the log: %w", t.store.explain(ctx, err))
	}
	chain, version := t.store.chain, t.store.chain.Current()
	rows := make([]logRow, len(t.events))
	for i, e := range t.events {
		head := heads[e.TenantID]
		if head == nil {
			return 0, fmt.Errorf("record an event of tenant %q: it has no log", e.TenantID)
		}
		position++
		head.Sequence++
		e.Position, e.Sequence = position, head.Sequence
		if rows[i], err = newLogRow(e, version); err != nil {
			return 0, err
		}
		if head.Sequence == 1 { // the version may have changed since the log was started
			head.Hash = startMAC(chain, version, e.TenantID)
		}
		rows[i].Hash = rows[i].mac(chain, version, head.Hash)
		head.Hash, head.ChainVersion = endMAC(chain, version, rows[i].Hash), version
	}
	if err := t.writeLog(ctx, position, rows, heads); err != nil {
		return 0, fmt.Errorf("write the log: %w", t.store.explain(ctx, err))
	}
	return position, nil
}

// lockLog waits until no other transaction appends, and reads where the log ends. The heads are read by a statement
// of their own: on PostgreSQL each sees what was committed before it began, and only the second is sure to begin
// after the lock.
func (t *tx) lockLog(ctx context.Context) (int64, map[lifecycle.TenantID]*logHead, error) {
	lock := t.NewSelect().Table("log_positions").Column("position")
	if t.store.dialect == postgres {
		lock = lock.For("UPDATE")
	}
	var position int64
	if err := lock.Scan(ctx, &position); err != nil {
		return 0, nil, err
	}
	var rows []*logHead
	err := t.NewSelect().Model(&rows).Where("tenant_id IN (?)", bun.List(tenantsOf(t.events))).Scan(ctx)
	if err != nil {
		return 0, nil, err
	}
	heads := make(map[lifecycle.TenantID]*logHead, len(rows))
	for _, head := range rows {
		heads[head.TenantID] = head
	}
	return position, heads, nil
}

func tenantsOf(events []lifecycle.Event) []lifecycle.TenantID {
	var tenants []lifecycle.TenantID
	for _, e := range events {
		tenants = append(tenants, e.TenantID)
	}
	slices.Sort(tenants)
	return slices.Compact(tenants)
}

// writeLog sends all statements at once where it can: everybody else waits for the lock meanwhile.
func (t *tx) writeLog(ctx context.Context, position int64, rows []logRow, heads map[lifecycle.TenantID]*logHead) error {
	version := t.store.chain.Current()
	var statements []schema.QueryAppender
	for part := range slices.Chunk(rows, batch) {
		statements = append(statements, t.NewInsert().Model(&part))
	}
	for _, tenant := range tenantsOf(t.events) {
		statements = append(statements, t.NewUpdate().Model(heads[tenant]).Column("sequence", "chain_version", "hash").
			Where("tenant_id = ?", tenant))
	}
	end := t.NewUpdate().Table("log_positions").Set("position = ?", position).
		Set("chain_version = ?", version).Set("seal = ?", positionMAC(t.store.chain, version, position)).Where("id = 1")
	if t.store.dialect == sqlite {
		end = end.Set("is_own = ?", false)
	}
	statements = append(statements, end)
	var text []byte
	for i, statement := range statements {
		var err error
		if text, err = statement.AppendQuery(t.store.write.QueryGen(), text); err != nil {
			return err
		}
		if text = append(text, ";\n"...); t.store.dialect == postgres && i < len(statements)-1 {
			continue
		}
		if _, err := t.Tx.Tx.ExecContext(ctx, string(text)); err != nil {
			return err
		}
		text = text[:0]
	}
	return nil
}

// LogPosition implements [manage.Store].
func (s *Store) LogPosition(ctx context.Context) (position int64, err error) {
	if err := s.read.NewSelect().Table("log_positions").Column("position").Scan(ctx, &position); err != nil {
		return 0, fmt.Errorf("read the position of the log: %w", s.explain(ctx, err))
	}
	return position, nil
}

// LogSequence implements [manage.Store]. A tenant that does not exist has no events.
func (s *Store) LogSequence(ctx context.Context, tenant lifecycle.TenantID) (sequence int64, err error) {
	err = s.read.NewSelect().Table("log_heads").Column("sequence").Where("tenant_id = ?", tenant).Scan(ctx, &sequence)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read the sequence of a log: %w", s.explain(ctx, err))
	}
	return sequence, nil
}

// LogAfter implements [manage.Store].
func (s *Store) LogAfter(ctx context.Context, position int64, limit int) ([]lifecycle.Event, error) {
	events := []lifecycle.Event{}
	err := s.read.NewSelect().Model(&events).Where("position > ?", position).Order("position").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", s.explain(ctx, err))
	}
	return events, nil
}

// LogOf implements [manage.Store].
func (s *Store) LogOf(ctx context.Context, tenant lifecycle.TenantID, after int64, limit int) ([]lifecycle.Event, error) {
	events := []lifecycle.Event{}
	err := s.read.NewSelect().Model(&events).Where("tenant_id = ?", tenant).Where("sequence > ?", after).
		Order("sequence").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the log of a tenant: %w", s.explain(ctx, err))
	}
	return events, nil
}

package store

import (
	"context"
	"database/sql"
	"strings"
	"sync"

	"github.com/uptrace/bun"
)

// prepared is a statement that is asked so often that the database plans it once for each connection. All others have
// their values inside of their text.
type prepared struct {
	text string

	mu        sync.Mutex
	statement *sql.Stmt
}

// newPrepared returns a statement whose values are $1, $2 and so on, each once and in this order, and whose LIST is the
// aggregate that joins texts.
func newPrepared(d dialect, text string) *prepared {
	if d == postgres {
		return &prepared{text: strings.ReplaceAll(text, "LIST(", "string_agg(")}
	}
	return &prepared{text: strings.NewReplacer("$1", "?", "$2", "?", "LIST(", "group_concat(").Replace(text)}
}

// read reads one row; sql.ErrNoRows when there is none.
func (p *prepared) read(ctx context.Context, db *bun.DB, row any, values ...any) error {
	statement, err := p.on(ctx, db) //nolint:sqlclosecheck // it is kept
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(ctx, values...)
	if err != nil {
		return err //nolint:wrapcheck // the caller says what was read
	}
	defer func() { _ = rows.Close() }() // what went wrong is in Err
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err //nolint:wrapcheck // the caller says what was read
		}
		return sql.ErrNoRows
	}
	return db.ScanRow(ctx, rows, row) //nolint:wrapcheck // the caller says what was read
}

// on is the statement, which closes with its database. The tables have to be there when it is first asked for.
func (p *prepared) on(ctx context.Context, db *bun.DB) (*sql.Stmt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.statement == nil {
		statement, err := db.DB.PrepareContext(ctx, p.text)
		if err != nil {
			return nil, err //nolint:wrapcheck // the caller says what was read
		}
		p.statement = statement
	}
	return p.statement, nil
}

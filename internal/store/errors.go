package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	moderncsqlite "modernc.org/sqlite"

	"github.com/keywright/keywright/internal/manage"
)

// Result codes of SQLite (https://sqlite.org/rescode.html). The low byte is the family.
const (
	sqliteFamily      = 0xff
	sqliteError       = 1
	sqliteBusy        = 5
	sqliteLocked      = 6
	sqliteCorrupt     = 11
	sqliteFull        = 13
	sqliteNotADB      = 26
	sqliteForeignKey  = 787
	sqlitePrimaryKey  = 1555
	sqliteUnique      = 2067
	sqliteUniqueWords = "UNIQUE constraint failed: "
)

// Conditions of PostgreSQL (appendix A of its manual).
const (
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
	pgForeignKey    = "23503"
	pgUnique        = "23505"
	pgNoColumn      = "42703"
	pgDiskFull      = "53100"
)

// asksForRetry reports whether the database rolled the transaction back only because of others.
func asksForRetry(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == pgSerialization || pg.Code == pgDeadlock
	}
	if lite, ok := errors.AsType[*moderncsqlite.Error](err); ok {
		family := lite.Code() & sqliteFamily
		return family == sqliteBusy || family == sqliteLocked
	}
	return false
}

// isForeignKey reports whether the database refused a reference to nothing, or to leave one behind.
func isForeignKey(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == pgForeignKey
	}
	lite, ok := errors.AsType[*moderncsqlite.Error](err)
	return ok && lite.Code() == sqliteForeignKey
}

// isForeignColumn reports whether a column that was asked for does not exist.
func isForeignColumn(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == pgNoColumn
	}
	lite, ok := errors.AsType[*moderncsqlite.Error](err)
	return ok && lite.Code() == sqliteError // what SQLite answers to a statement that makes no sense
}

// isWithoutRoom reports whether the database refused to write because its disk is full.
func isWithoutRoom(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code == pgDiskFull
	}
	lite, ok := errors.AsType[*moderncsqlite.Error](err)
	return ok && lite.Code()&sqliteFamily == sqliteFull
}

// explain turns what a use case can act on into the words of the contract: a taken unique value into a
// ConflictError, and a reference to a row that is not there into ErrNotFound.
func (s *Store) explain(ctx context.Context, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return manage.ErrNotFound
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case pgUnique:
			return &manage.ConflictError{Constraint: pg.ConstraintName}
		case pgForeignKey:
			return fmt.Errorf("%w: a row that is referred to (%s)", manage.ErrNotFound, pg.ConstraintName)
		}
	}
	if lite, ok := errors.AsType[*moderncsqlite.Error](err); ok {
		switch lite.Code() {
		case sqliteUnique, sqlitePrimaryKey:
			return &manage.ConflictError{Constraint: s.uniqueIndex(ctx, lite.Error())}
		case sqliteForeignKey:
			return fmt.Errorf("%w: a row that is referred to", manage.ErrNotFound)
		}
	}
	return plain(err)
}

// plain leaves out of an error what it quotes of data, and says in one sentence what has happened to the file.
func plain(err error) error {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return &databaseError{text: "PostgreSQL: " + pg.Message + " (SQLSTATE " + pg.Code + ")", cause: err}
	}
	if lite, ok := errors.AsType[*moderncsqlite.Error](err); ok {
		switch lite.Code() & sqliteFamily {
		case sqliteCorrupt:
			return &databaseError{text: "the database file is damaged: restore it from a backup", cause: err}
		case sqliteNotADB:
			return &databaseError{text: "the file is not a SQLite database", cause: err}
		case sqliteFull:
			return &databaseError{text: "the disk of the database file is full", cause: err}
		}
	}
	return err
}

// databaseError is an error of a driver in other words.
type databaseError struct {
	text  string
	cause error
}

// Error implements error.
func (e *databaseError) Error() string { return e.text }

// Unwrap gives the driver's error, to be asked for its code.
func (e *databaseError) Unwrap() error { return e.cause }

// Is makes a full disk known as [manage.ErrNoRoom].
func (e *databaseError) Is(target error) bool {
	return target == manage.ErrNoRoom && isWithoutRoom(e.cause)
}

// uniqueIndex finds the name of the index that SQLite means. It names an index on an expression, and the columns
// of any other.
func (s *Store) uniqueIndex(ctx context.Context, message string) string {
	_, where, _ := strings.Cut(message, sqliteUniqueWords)
	where, _, _ = strings.Cut(where, " (")
	if name, found := strings.CutPrefix(where, "index '"); found {
		return strings.TrimSuffix(name, "'")
	}
	var name string
	err := s.read.NewRaw(`SELECT CASE origin WHEN 'pk' THEN tbl || '_pkey' ELSE name END FROM (
		SELECT m.name AS tbl, l.name, l.origin, group_concat(m.name || '.' || c.name, ', ' ORDER BY c.seqno) AS columns
		FROM sqlite_master m, pragma_index_list(m.name) l, pragma_index_info(l.name) c
		WHERE m.type = 'table' AND l."unique" GROUP BY m.name, l.name, l.origin
	) WHERE columns = ?`, where).Scan(ctx, &name)
	if err != nil {
		return where // an INTEGER PRIMARY KEY has no index
	}
	return name
}

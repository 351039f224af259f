package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	moderncsqlite "modernc.org/sqlite"
)

// fold makes texts comparable whatever their case. PostgreSQL has a function of that name that does the same by the
// rules of ICU, which differ from Go's in two letters: an I with a dot keeps its dot, and a sigma does not care
// whether it ends a word.
func fold(s string) string {
	s = strings.ToLower(strings.ReplaceAll(s, "İ", "i\u0307"))
	return strings.ReplaceAll(s, "ς", "σ")
}

// foldingSQLite opens connections to a SQLite database whose statements may call fold. No table, index or trigger
// does, so any other program can read, check and repair the file.
type foldingSQLite struct {
	driver *moderncsqlite.Driver
	dsn    string
}

// newFoldingSQLite returns a connector for sql.OpenDB.
func newFoldingSQLite(dsn string) (driver.Connector, error) {
	d := &moderncsqlite.Driver{}
	err := d.RegisterDeterministicScalarFunction("fold", 1,
		func(_ *moderncsqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			if text, ok := args[0].(string); ok {
				return fold(text), nil
			}
			return nil, nil
		})
	if err != nil {
		return nil, fmt.Errorf("teach SQLite to fold: %w", err)
	}
	return foldingSQLite{driver: d, dsn: dsn}, nil
}

// Connect implements [driver.Connector].
func (f foldingSQLite) Connect(context.Context) (driver.Conn, error) { return f.driver.Open(f.dsn) }

// Driver implements [driver.Connector].
func (f foldingSQLite) Driver() driver.Driver { return f.driver }

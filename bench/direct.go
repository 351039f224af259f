package main

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	"modernc.org/sqlite"
)

// registerFold adds the function that the store's statements call on SQLite, once for the process.
var registerFold = sync.OnceValue(func() error {
	return sqlite.RegisterDeterministicScalarFunction("fold", 1, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		text, _ := args[0].(string)
		return strings.ToLower(text), nil
	})
})

// openDirect opens a database without the store, with the settings that the store uses for reading.
func openDirect(database string) (*sql.DB, error) {
	path, isSQLite := strings.CutPrefix(database, "sqlite:")
	if !isSQLite {
		return sql.Open("pgx", database+"&default_query_exec_mode=exec")
	}
	if err := registerFold(); err != nil {
		return nil, err
	}
	return sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_time_format=sqlite&_timezone=UTC")
}

// rows runs the statement in the body and answers with a JSON list of lists.
func (s *bare) rows(w http.ResponseWriter, r *http.Request) {
	statement, err := io.ReadAll(r.Body)
	if err != nil {
		answer(w, nil, err)
		return
	}
	all, err := s.query(r, string(statement))
	answer(w, all, err)
}

func (s *bare) query(r *http.Request, statement string) (all [][]any, err error) {
	rows, err := s.direct.QueryContext(r.Context(), statement)
	if err != nil {
		return nil, fmt.Errorf("run the statement: %w", err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values, places := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			places[i] = &values[i]
		}
		if err := rows.Scan(places...); err != nil {
			return nil, err
		}
		all = append(all, values)
	}
	return all, rows.Err()
}

// Package migrations holds the SQL files that bring a database to the form this binary works with. Files of the
// same name do the same on both databases. A file that has been released is never edited; a change is a new file.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// Postgres returns the files for PostgreSQL, named NNNN_what.sql and numbered from 0001 without gaps.
func Postgres() fs.FS { return below("postgres") }

// SQLite returns the files for SQLite, under the same names.
func SQLite() fs.FS { return below("sqlite") }

func below(folder string) fs.FS {
	sub, err := fs.Sub(files, folder)
	if err != nil {
		panic(err) // the folder is named above: this cannot happen in a binary that was built
	}
	return sub
}

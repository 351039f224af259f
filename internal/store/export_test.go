package store

import "net/url"

// SQLiteFile is the name by which the driver opens a file.
func SQLiteFile(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

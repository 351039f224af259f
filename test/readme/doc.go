// Package readme does what README.md says, in an empty folder, and compares what it shows.
package readme

// Package crash kills what runs, tampers with what is stored and starts the program on what it must
// refuse. It runs the real binary in a process of its own, on SQLite and on a PostgreSQL that keeps
// what it acknowledged, with Redis.
//
// KEYWRIGHT_FAULTS=1, which `make faults` sets, kills more often and for longer.
package crash

// Package store keeps everything Keywright knows, in SQLite or PostgreSQL, behind the contract of
// [manage.Store]. It is the only user of bun and of the database drivers.
//
// Both databases have a pool that writes and a pool that reads. Writers are few on purpose: each ends its
// transaction by numbering its events under one lock, and more of them only queue for it.
//
//	Write ─▶ fn(tx): lock, change, record ─▶ number and chain the events ─▶ commit
//	              ▲                                                          │
//	              └────────── deadlock, serialization, busy ◀────────────────┘
//
// bun writes values into the text of a statement, so a statement is as secret as what it carries. No statement
// is ever logged, traced, or made part of an error.
//
// package storetest holds both databases to the contract.
package store

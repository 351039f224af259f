// Package manage holds the use cases that change things. Each loads what it needs, asks the
// core, saves what the core decided and records the events, all in one transaction; when the
// transaction is committed it tells the rest of the server, and not before.
package manage

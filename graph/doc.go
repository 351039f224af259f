// Package graph is the GraphQL edge: one file per noun, each thin. A resolver unpacks arguments, asks for rows or runs
// one use case, and wraps the result.
//
//	request ──▶ transport ──▶ limits and cost ──▶ @authorize ──▶ resolver ──▶ manage (changes) or scope (reads)
//	                                                                              │
//	                              error presenter ◀── refusals, failures ◀────────┘
//
// Who calls is put into the context by the layer that authenticates, by [WithCaller]. Only this package reads it back,
// and hands it on as an argument.
//
// # Reads
//
// A scope holds what one response has loaded. Whoever loads a row announces what the row refers to; the first resolver
// that asks for one of the announced objects loads them all in one statement, and the others find them there. So a list
// of any length takes a constant number of statements, without waiting for a batch to fill. A scope lives for one
// response: a message of a subscription never shows what an earlier one has loaded, and of several mutations in one
// request each has a scope of its own.
//
// # Access
//
// Every root field states the permission it needs, and so does a nested field that leads to objects of another kind of
// permission; access_test.go holds the exceptions with their reasons. Where a field can lead to objects of any kind (node, the
// subject of an event, members of user errors) the permission of the kind is checked when the object is loaded, and what
// may not be read looks like what does not exist.
package graph

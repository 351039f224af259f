// Package object names the graph's interfaces and unions in Go. They are empty interfaces: the
// concrete types are those of the core, which knows nothing of the graph, and the generated
// code tells them apart.
package object

type (
	// Node is an object with a globally unique id.
	Node interface{}
	// Actor is anyone or anything that can act.
	Actor interface{}
	// UserError is an error that the caller can correct.
	UserError interface{}
	// StreamMessage is a message of a subscription.
	StreamMessage interface{}
	// EventSubject is an object that events are about.
	EventSubject interface{}
	// BulkSubject is an object that bulk mutations work on.
	BulkSubject interface{}
	// Credentials are the secret values of one key.
	Credentials interface{}
)

// Package transport carries GraphQL requests between the network and gqlgen's executor.
//
// Three transports implement graphql.Transport. None knows the schema, so each can be mounted on any server:
//
//	WebSocket  graphql-transport-ws: queries, mutations and subscriptions on one socket
//	SSE        GraphQL over SSE, distinct connections mode: a query or a subscription as an event stream
//	HTTP       GraphQL over HTTP: queries and mutations by POST, queries by GET
//
// A server asks them in the order they were added, and HTTP takes everything the other two leave, so that whatever a
// client sends gets a status and a coded error. Add HTTP last:
//
//	server.AddTransport(sockets)
//	server.AddTransport(transport.SSE{Closing: closing})
//	server.AddTransport(transport.HTTP{})
//
// What holds for all of them:
//   - Every error has extensions.code; the codes made here are the Code constants. Errors pass the server's error
//     presenter like any other.
//   - A request that is refused before it runs is answered without a data entry.
//   - Nothing a client sent is echoed or logged: a malformed body may hold a credential.
//   - A panic in a resolver, an interceptor or a hook ends its operation, never the process.
//   - Each goroutine is waited for by the call that started it. A stream ends when its request's context does.
//   - Incremental delivery (@defer) is not spoken; package limits refuses such documents before they run.
package transport

// Package conformance lets tools that others wrote judge the graph: the GraphQL-over-HTTP audits of graphql-http, the
// graphql-ws and graphql-sse clients on the live feed, relay-compiler on a set of operations, and @graphql-eslint on
// the schema. Each is a script for Node.js that asks the server in KEYWRIGHT_URL with the key in KEYWRIGHT_KEY, or
// reads the schema, prints one line per check and a sum, and exits with 0 or 1:
//
//	npm ci
//	npm run eslint
//	KEYWRIGHT_URL=http://127.0.0.1:8080 KEYWRIGHT_KEY="$(cat ../../data/admin.key)" npm run ws
//
// The package's test starts a server and runs them all.
package conformance

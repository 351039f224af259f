// Package archtest holds the direction of imports: arrows point inward only. It has no code, only a test, which
// takes about a second and so runs with every `go test ./...`; the linter repeats the most important of its rules
// in the editor.
//
//	cmd → app → edges (graph, httpapi, live, shared, store, …) → manage, validate → query, secret, access → lifecycle
package archtest

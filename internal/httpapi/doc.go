// Package httpapi is the plain HTTP edge: the validation endpoint, health, metrics, and what
// every request passes through on its way to them and to the graph.
package httpapi

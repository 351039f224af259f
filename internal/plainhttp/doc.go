// Package plainhttp answers the plain requests that gateways send, thousands of times a second over connections that
// stay open, with less than net/http does for whatever a client could send.
//
// A request is plain when it is HTTP/1.1 in its simplest form: a path, fields that each stand on one line, and a body, if
// any, of a stated length. Only such a request is read here, by rules that are narrower than those of RFC 9112, and only
// for the paths of one handler. The first request on a connection that is anything else goes to net/http with all that
// follows it, unread: what is unusual costs what it costs everywhere, and is judged by the library that everybody uses.
// So nothing is read here that net/http would read in another way; a test compares the two on whatever bytes it can
// think of.
package plainhttp

// Package authorize decides over calls that gateways ask about, whatever the wire they ask over: who asks, which one
// credential the call carries, whether it may pass, and what both sides are told.
//
// Nothing that the client of a gateway can choose decides anything but the credential. The tenant and the environment
// are those of the gateway's token; the API is named by the gateway's configuration; and of the headers in which
// gateways describe a call only those of the gateway's own dialect are read, because gateways pass all others on as
// their clients sent them.
package authorize

// Package limit counts what key sets may use: requests per second and requests per calendar period.
//
// Nodes share the counts, but do not ask for every request. A node takes a part of a limit, a lease, before it admits
// from it, so however many nodes there are, together they admit no more than the limit:
//
//	request ─▶ is there a lease? ── yes ─▶ admit, one less
//	                 └─ no ─▶ shared counters ─▶ a lease, or how long to wait
//	                                └─ do not answer ─▶ admit from this node's share of what was left
//
// # Quota
//
// A lease is a hundredth of the quota at most, and a tenth of what is left at most, so it shrinks towards the end. What a
// node has not used for some seconds, and what it holds when it stops, it gives back. Hence:
//
//   - while the counters answer, never more than the quota is admitted in a period;
//   - a request is refused too early only for what other nodes hold: a hundredth of the quota each, or one request where
//     that is more, and for no longer than idle leases are held. A node that is killed takes its lease with it.
//
// # Rate
//
// The rule is a token bucket: as many tokens as requests per second, refilled as fast. So in any t seconds at most
// (1+t) times the rate is admitted. A lease is a twentieth of a second's tokens, or one where that is more; it may be
// used for a tenth of a second, and what is left of it then is put back. So all nodes together are off by a twentieth of
// the rate per node, at most and for a tenth of a second.
//
// # Without the shared counters
//
// A limit is no reason not to answer. While the counters do not answer, a node admits what it has leased and then, of a
// quota, its share of what was left when it heard of it last: an equal part for each node that took part; of a rate, the
// whole by a bucket of its own, so n nodes admit n times the rate at most. [Stats] tell of it. What was used meanwhile is
// told to the counters when they are back, and a node that never heard of a quota's state begins with the whole.
package limit

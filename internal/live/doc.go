// Package live brings the event log to the nodes and from there to subscribers, without gaps.
//
//	log ──▶ Follower, one per node ──▶ projection (what is cached of changed keys is outdated)
//	            │                           then
//	            └──▶ ring of recent events ◀── Subscription.Next, one per reader
//	                        log ◀────────────────┘ when the reader is behind the ring
//
// The log in the database is the truth and numbers its events without gaps, in commit order. Everything that wakes
// the follower (a local commit, another node's announcement, the poll) is a hint: each may be lost, because each only
// makes it ask the log what came after the last event it has.
//
// Readers pull. A waking is the closing of one channel, whoever waits for it; there is no queue per reader, so a slow
// one costs the others nothing and loses nothing: what the ring no longer holds it reads from the log. What makes that
// right is the tenant's sequence: a reader accepts only the event that follows the one it had, wherever it comes from.
//
// # What the follower proves to validators
//
// [Follower.Known] gives a position and when a question was sent to the database whose answer was that position: nothing
// that was committed before the question lies beyond it. By then [Near] has been told of every change up to there, so
// what a node remembers and was not told to be outdated is as old as the question. [Follower.Projected] gives the same
// for the shared state, once everything up to the position has been projected there; a validator then believes a state
// whose watermark is at or above it. The two are apart because a shared state that hangs must not end what a node knows
// by itself.
//
// A change of this node is acknowledged when it is in effect here. Where it takes too long, the position is a fence:
// nothing is proven by this node until it has come past it.
//
// The projection is tried before readers are woken, so that who sees a key set suspended finds it refused. When it
// fails, readers are not made to wait for it: validators see a watermark below the proven position and ask the database.
// The projection is retried with a backoff, from the position it had reached, and skips nothing.
//
// # What followers prove to each other
//
// A node whose database gives no proof challenges the others through the shared state, and each follower answers with
// what it projects anyway: it reads the challenges before it asks the database for the newest position, and passes them
// to the Advance that reaches it. Package shared says what an answer proves, and why. It proves the shared state only:
// [Follower.Known] stays as old as this node's own question.
//
// # What is left for later
//
// The near cache in the process of a validator, a log of which an old part was removed (the GAP is there, the removal
// is not), and a projection that heals itself after the database was restored to an earlier state: until somebody
// empties the shared state, the follower then proves nothing and validators ask the database.
package live

// Package validate answers the hot question: may this key call this API now?
//
//	presented key ─▶ form and checksum ─▶ keyed digest ─▶ this node's memory ─▶ shared state ─▶ database
//	                 (garbage ends here)                   └──── each only if provably fresh ───┘    │
//	                                                       lifecycle.Judge ◀── facts ◀── guarded fills
//
// What is kept are facts, never verdicts, because time passes: the verdict is made at the instant of the question by
// this process' clock (T13). A "no" is a verdict; an error means that nothing could be decided.
//
// # How old an answer may be
//
// An answer counts from the moment a question was sent: to the database for the facts, or to the database's log for
// the newest position. It must be younger than the lease, which is less than a second.
//
// This node's memory is believed while its follower of the log has proven, within the lease, that everything committed
// up to a position has been told to it (R-12, [Service.Outdate]). What it was told it keeps as marks: for digests and
// tenants, the position of the newest change. Facts carry the position they were read at, and are right as long as no
// mark is above it. Nothing has to be found and removed, and it does not matter when a fill that raced a change arrives:
// it is outdated from the beginning (T1).
//
// The shared state is believed when three things hold together:
//
//   - the follower has proven, within the lease, which position was the newest, or another node has proven to
//     this one through the state that it projects what the database says;
//   - the state has projected everything up to that position;
//   - the entry is as new as the newest change that outdated its whole tenant (T2).
//
// Otherwise the database is asked. When the database does not answer either, the result is [ErrUndecided]. A fill that
// raced a change is refused by the shared state, too: it carries the epoch read before the facts were, and the log
// position at which they were read.
//
// # Keys that are not known
//
// A filter of everything that was ever issued says of most unknown keys that they are unknown, without asking anybody.
// It is read from the database at the start, grows by what the log tells, and counts under the lease. What it lets
// through is asked for and remembered for a while, in bounded memory apart from the known keys.
//
// # Clocks
//
// The lease is counted by a clock that only moves forward and stands still while a machine is suspended; so does the
// process. Expiry is judged by the wall clock.
package validate

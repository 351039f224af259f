// Package validate answers the hot question: may this key call this API now?
//
//	presented key ─▶ form and checksum ─▶ keyed digest ─▶ shared facts, if they are provably fresh ─▶ lifecycle.Judge
//	                 (garbage ends here)                  └▶ the database, and a guarded fill ──────┘
//
// What is shared between nodes are facts, never verdicts, because time passes: the verdict is made at the instant of
// the question by this process' clock (T13). A "no" is a verdict; an error means that nothing could be decided.
//
// # How old an answer may be
//
// An answer counts from the moment a question was sent: to the database for the facts, or to the database's log for
// the newest position. It must be younger than the lease, which is less than a second. Shared facts are
// believed only when three things hold together:
//
//   - this node's follower of the log has proven, within the lease, which position was the newest;
//   - the shared state has projected everything up to that position, and up to what this node has committed itself
//
//   - the entry is as new as the newest change that outdated its whole tenant (T2).
//
// Otherwise the database is asked. When the database does not answer either, the result is [ErrUndecided].
//
// A fill that raced a change is refused by the shared state: it carries the epoch read before the facts were, and the
// log position at which they were read (T1).
//
// That a key is unknown is remembered in this process only, in bounded memory and no longer than it is true: an entry
// holds the position at which the key was looked for, and counts while the follower proves, within the lease, that
// nothing has been committed since. So a new key is accepted within the lease, and at once where it was made.
//
// # What comes later
//
// A cache of facts in the process, under the same lease; bounds on reads of the database per second under a flood of
// well-formed keys that are all different (their number at a time is bounded, and one that is repeated is read once);
// and clocks that stop: the lease is counted by a monotonic clock, which stands still while a machine is suspended.
package validate

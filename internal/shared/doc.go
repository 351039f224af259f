// Package shared holds what the nodes of one installation share so that validation is fast: facts about keys,
// kept beside the log position at which they were read, and wake-up messages. It is a cache and a doorbell. The
// database stays the truth; everything here may vanish at any moment and nothing is wrong afterwards, only slower.
//
// [State] is the contract. [Memory] keeps it inside one process; [Redis] keeps it in Redis, alone, behind
// Sentinel, or as a Cluster. Both pass the suite of package sharedtest.
//
// # Who may trust an entry
//
// Facts are cached, never verdicts. An entry carries a version: the position of the log at which its facts were
// read. A change at position p outdates every entry with a version below p. Nodes read and write concurrently, stall,
// and die between two steps, so four marks keep an outdated entry from being believed (T1):
//
//   - A tombstone at a digest, or at a whole tenant, says "facts older than p are outdated". It replaces the entry and
//     refuses a fill that was read before p and arrives after it.
//   - The watermark says "everything committed up to p has been projected". Who knows of a later commit does not
//     read this state.
//   - The epoch names this life of the state. A state that lost its memory lost its tombstones; its next life has
//     another epoch, and a fill that set out in the old one is refused.
//   - The floor is the position at which a life began. Whatever is older does not count: neither what an earlier
//     life left behind nor a fill that was read before anyone projected.
//
// # The life of a projection
//
//	          Epoch                 Begin(head)               Advance(from, to, changes)
//	nothing ─────────▶ named life ───────────────▶ projected ─────────────────────────────┐
//	   ▲               (fills refused)              up to head ◀──────────────────────────┘
//	   └───────────────── memory lost: FLUSHALL, empty restart, head expired ─────────────┘
//
// Any number of nodes may project at once. Each does this:
//
//	epoch, watermark := Epoch()
//	if watermark == NoPosition    → head := newest position of the log; Begin(epoch, head); again from Epoch
//	loop: read the log after watermark up to `to`; Advance(epoch, watermark, to, changes); watermark = to
//	      refused                 → again from Epoch: the state lost something this node had projected
//
// Advance writes tombstones and watermark in one step. That is what makes a failover harmless which loses the last
// writes: a replica holds a prefix of its master's writes, and every prefix has a watermark that is true for it.
//
// # What an answer proves, and to whom
//
// A node may believe what it reads here only if nothing was committed since that is not projected. Its own reads of the
// log tell it how far the log is; the watermark must have reached that. But a node that is cut off from the database
// reads no log. It can still be told by one that does, without any two clocks being compared:
//
//	node without its database            state                       node with it
//	notes its own time T ──Challenge(T)──▶ challenges
//	                                        │ ───────Challenges()──────▶ 1. reads them
//	                                        │                            2. asks the database: newest is N
//	                                        │                            3. projects up to N
//	                                       head ◀──Advance(…, N, challenges)── 4. answers
//	reads entry and head ◀──Lookup: Echo T──┘
//
// Who finds T in the head that came with an entry knows that everything committed before T is projected at that head's
// watermark: the other node had read T before it asked the database, so it asked after T; the database named at least
// all that was committed when it was asked; and the head with the echo was written in one step with the tombstones up to
// there. So the answer is as old as T, by the clock of the node that made T, and by no other. The argument needs nothing
// of timing, which is why it holds when things go wrong:
//
//   - The other node stands still between any two steps, or repeats the last one: what it says of T stays true for ever.
//     It is merely late, and T has become too old to serve as a lease.
//   - Answers overtake each other: Advance keeps the later T of each node, with a watermark that never falls.
//   - The state loses its memory: echo and head are one value, so the echo goes with it. An answer from an earlier life is
//     refused by its epoch; one that is given again in the new life is as true there.
//   - A failover loses the last writes: a replica holds a prefix of its master's writes, and in each prefix an echo stands
//     beside the watermark it was written with, or a later one. What it shows is older, never wrong.
//   - A shard of a Cluster lags: each part has its own head, and proves for its own entries.
//
// That is also why nodes do not share a counter of challenges, which would be shorter: a failover can set a counter
// back, and a number that one node took before it would pass for an answer to another that takes it again. Here a node
// compares only numbers that it made itself, under a random name of its own.
//
// What an echo proves concerns this state. It says nothing of what a node keeps in its own memory, which is outdated by
// events, and those come from the log.
//
// Challenges cost something only while a node is without its database: it makes five a second, every other node reads
// them with its poll of the log, and the answer rides on Advance and comes with every look-up. In health there are none.
//
// # Redis: keys and slots
//
// Tenants are spread over 16 parts. The part's number is the hash tag, so whatever one Lookup needs lives in one slot
// and comes with one MGET: the same single round trip on a Cluster. Each part has an epoch and a watermark of its own,
// because a shard's proof has to die with the shard's data: one that stood elsewhere would go on vouching for a shard
// that had lost its memory.
//
//	kwh{3}           head: "<epoch>", or "<epoch> <watermark> <floor> <node>:<T>,…"    24 h, renewed by Advance
//	kwt{3}<tenant>   tombstone of a whole tenant: "<position>"                         MaxTTL + TombstoneTTL
//	{3}<9 bytes>     entry "<version>:<3 bytes><facts>" or tombstone "<position>"      MaxTTL at most, or TombstoneTTL
//	kwc              challenges: hash of node to "<T> <when, by the server's clock>"   10 s
//
// Numbers are written in base 36; T is in microseconds. The 9 and the 3 bytes are cut from SHA-256 of tenant and digest:
// those in the key find the entry, and the others tell it from one that happens to have the same key. Together they are
// 96 bits of a keyed digest, which nobody can choose, and the tenant is inside. A tombstone or a refusal that hits another
// entry because 72 bits are the same costs a read of the database. The sizes are those at which an allocator with classes
// of 16 bytes wastes nothing: facts of 66 bytes cost 193 bytes in all, at 1,000,000 keys.
//
// Every key has a time to live (T9), so an abandoned Redis empties itself. Run it with maxmemory-policy noeviction: a
// policy that evicts keys could evict tombstones.
//
// What tombstones cannot cover is a fill that is in flight for longer than [TombstoneTTL]. So a caller gives the
// context of a load a deadline far below that, set before the facts are read, and fills under the same context.
//
// Concurrent look-ups share round trips: while one is under way, the next ones gather. It takes no timer, and a look-up
// that is alone waits for nobody.
package shared

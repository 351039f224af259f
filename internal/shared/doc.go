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
// # Redis: keys and slots
//
// Tenants are spread over 16 parts. The part's number is the hash tag, so whatever one Lookup needs lives in one slot
// and comes with one MGET: the same single round trip on a Cluster. Each part has an epoch and a watermark of its own,
// because a shard's proof has to die with the shard's data: one that stood elsewhere would go on vouching for a shard
// that had lost its memory.
//
//	kwh{3}               head: "<epoch>" or "<epoch> <watermark> <floor>"             24 h, renewed by Advance
//	kwt{3}<tenant>       tombstone of a whole tenant: "<position>"                    MaxTTL + TombstoneTTL
//	kw{3}<16 bytes>      entry "<version>:<facts>" or tombstone "<position>"          MaxTTL at most, or TombstoneTTL
//
// The 16 bytes are cut from SHA-256 of tenant and digest. Every key has a time to live (T9), so an abandoned Redis
// empties itself. Run it with maxmemory-policy noeviction: a policy that evicts keys could evict tombstones.
//
// What tombstones cannot cover is a fill that is in flight for longer than [TombstoneTTL]. So a caller gives the
// context of a load a deadline far below that, set before the facts are read, and fills under the same context.
package shared

package live

import "github.com/keywright/keywright/internal/lifecycle"

// ring holds the newest events of all tenants. Positions have no gaps, so the event at position p stands at p modulo
// the size.
type ring struct {
	entries []entry
	head    int64 // position of the newest event, or where the ring began
	length  int64
}

// entry carries the cursor of its event: it is the same for every reader, so it is made once.
type entry struct {
	event  *lifecycle.Event
	cursor string
}

// first is the position of the oldest event kept.
func (r *ring) first() int64 { return r.head - r.length + 1 }

func (r *ring) at(position int64) entry { return r.entries[position%int64(len(r.entries))] }

// add takes the event behind the head.
func (r *ring) add(e *lifecycle.Event) {
	r.head = e.Position
	r.entries[r.head%int64(len(r.entries))] = entry{e, FormatCursor(e.TenantID, e.Sequence)}
	r.length = min(r.length+1, int64(len(r.entries)))
}

// restart empties the ring; the next event is the one behind the position.
func (r *ring) restart(position int64) {
	clear(r.entries)
	r.head, r.length = position, 0
}

package live

import (
	"context"
	"time"
)

// outsideTimeout bounds one attempt to record what was changed past the server.
const outsideTimeout = 2 * time.Second

// noteOutside wakes whoever records changes made past the server. Until they are in the log nothing is proven, so a
// node that relies on its proofs answers from the database itself, within the lease.
func (f *Follower) noteOutside() {
	select {
	case f.outside <- struct{}{}:
	default:
	}
}

// recordOutside has changes made past the server recorded. It has a goroutine of its own, because the one that reads
// the log must not wait for a turn to write.
func (f *Follower) recordOutside(ctx context.Context) {
	if f.RecordOutside == nil {
		return
	}
	for isFailing := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-f.outside:
		}
		position, err := f.recordOutsideOnce(ctx)
		switch {
		case err != nil && !isFailing && ctx.Err() == nil:
			f.Logger.Error("the database was changed past the server, and that cannot be recorded; validators ask the database", "error", err)
		case err == nil && position > 0: // else another node was faster
			f.Logger.Warn("the database was changed past the server", "position", position)
			f.Committed(position) // which looks at once whether there is more
		}
		isFailing = err != nil
	}
}

func (f *Follower) recordOutsideOnce(ctx context.Context) (position int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, outsideTimeout)
	defer cancel()
	return f.RecordOutside(ctx)
}

package shared

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	wakeChannel = "kw:wake"
	// wakeSilence is how long a link may be silent before it has to prove that it still lives, and how long it may
	// take for the proof. A link that hangs is noticed after twice this time.
	wakeSilence = time.Second
	firstRetry  = 20 * time.Millisecond
	lastRetry   = time.Second
)

// Announce implements [State].
func (r *Redis) Announce(ctx context.Context, position int64) error {
	if err := checkPositions(position); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	if err := r.projection.Publish(ctx, wakeChannel, position).Err(); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	return nil
}

// Announcements implements [State]. It reads the link itself, because a link that comes back has to be noticed: what
// was published in between is lost without a sign.
func (r *Redis) Announcements(ctx context.Context) <-chan int64 {
	return r.loops.serve(ctx, func(ctx context.Context, box *mailbox) {
		retry := firstRetry
		for ctx.Err() == nil {
			if r.listen(ctx, box) {
				retry = firstRetry
			}
			pause(ctx, retry/2+rand.N(retry/2))
			retry = min(2*retry, lastRetry)
		}
	})
}

// listen serves one link until it breaks or ctx ends, and says whether there was one.
func (r *Redis) listen(ctx context.Context, box *mailbox) bool {
	link := r.projection.Subscribe(ctx, wakeChannel)
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = link.Close() // a read does not notice that its context ends
	})
	defer func() {
		if !stop() {
			<-closed
			return
		}
		_ = link.Close()
	}()
	if _, err := link.ReceiveTimeout(ctx, wakeSilence); err != nil {
		return false
	}
	box.put(NoPosition)
	for silent := false; ; {
		message, err := link.ReceiveTimeout(ctx, wakeSilence)
		switch {
		case err == nil:
			silent = false
			deliver(message, box)
		case isTimeout(err) && !silent && link.Ping(ctx) == nil:
			silent = true
		default:
			return true
		}
	}
}

// deliver passes a message on. One that cannot be read is still a reason to look.
func deliver(message any, box *mailbox) {
	m, ok := message.(*redis.Message)
	if !ok {
		return
	}
	position, err := strconv.ParseInt(m.Payload, 10, 64)
	if err != nil || position < 0 {
		position = NoPosition
	}
	box.put(position)
}

func isTimeout(err error) bool {
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

package plainhttp

import (
	"io"
	"sync"
	"time"
)

const (
	maxHeld  = 16 << 10             // bytes of answers that wait for those after them
	maxPause = 1 * time.Millisecond // and how long they do
)

// held are answers to requests that came at once. They are sent with one write: when there are no more of them, when
// there is something to be awaited, or after maxPause, however long the next one takes.
type held struct {
	to io.Writer

	mu    sync.Mutex
	out   []byte
	err   error       // why they could not be sent; nothing is sent behind a piece of an answer
	pause *time.Timer // runs while there is something to send
}

func newHeld(to io.Writer) *held {
	h := &held{to: to}
	h.pause = time.AfterFunc(maxPause, func() { _ = h.send() })
	return h
}

// add holds one more answer.
func (h *held) add(answer []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.out) == 0 {
		h.pause.Reset(maxPause)
	}
	if h.out = append(h.out, answer...); len(h.out) < maxHeld {
		return h.err
	}
	return h.write()
}

// send sends what is held. It may be called on null, which holds nothing.
func (h *held) send() error {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.write()
}

func (h *held) write() error {
	if h.err != nil || len(h.out) == 0 {
		return h.err
	}
	h.pause.Stop()
	_, h.err = h.to.Write(h.out)
	if h.out = h.out[:0]; cap(h.out) > maxKept {
		h.out = nil
	}
	return h.err
}

package shared

// Forget makes a Memory lose everything, as a Redis does in FLUSHALL.
func Forget(m *Memory) { m.forget() }

// NewMailbox gives both ends of a mailbox.
func NewMailbox() (put func(int64), c <-chan int64) {
	m := newMailbox()
	return m.put, m.c
}

package shared

// Forget makes a Memory lose everything, as a Redis does in FLUSHALL.
func Forget(m *Memory) { m.forget() }

package graph

import (
	"context"
	"errors"
	"sync"
)

// cohort collects the keys that a response may ask for, announced by whoever loaded the rows that they stand in.
type cohort[K comparable] struct {
	mu   sync.Mutex
	keys []K
}

func (c *cohort[K]) announce(keys ...K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = append(c.keys, keys...)
}

func (c *cohort[K]) announced() []K {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keys[:len(c.keys):len(c.keys)]
}

// loader loads values by their keys, each once. The first that asks for one of the cohort loads the whole cohort, and the
// others wait for that: the number of loads does not depend on the length of a list, nor on who is faster.
type loader[K comparable, V any] struct {
	*cohort[K]
	// fetch loads values; keys without one are left out.
	fetch func(ctx context.Context, keys []K) (map[K]V, error)

	mu    sync.Mutex
	loads map[K]*load[K, V] // null until there is one: a response uses few of its loaders
}

// load is one call of fetch.
type load[K comparable, V any] struct {
	done  chan struct{}
	found map[K]V
	err   error
}

var errLoadPanicked = errors.New("a panic ended the load")

func newLoader[K comparable, V any](of *cohort[K], fetch func(context.Context, []K) (map[K]V, error)) *loader[K, V] {
	return &loader[K, V]{cohort: of, fetch: fetch}
}

// load returns the value of a key, and whether there is one.
func (l *loader[K, V]) load(ctx context.Context, key K) (value V, found bool, err error) {
	shared, keys := l.join(key)
	if keys != nil {
		func() {
			defer close(shared.done)
			shared.err = &loadError{cause: errLoadPanicked}
			values, err := l.fetch(ctx, keys)
			shared.found, shared.err = values, asLoadError(err)
		}()
	}
	select {
	case <-shared.done:
	case <-ctx.Done():
		return value, false, ctx.Err()
	}
	value, found = shared.found[key]
	return value, found, shared.err
}

// join returns the load that a key is part of. When that is a new one, it also returns the keys to fetch.
func (l *loader[K, V]) join(key K) (*load[K, V], []K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if running, ok := l.loads[key]; ok {
		return running, nil
	}
	shared := &load[K, V]{done: make(chan struct{})}
	l.keep(key, shared)
	keys := []K{key}
	for _, k := range l.announced() {
		if _, ok := l.loads[k]; !ok {
			l.loads[k] = shared
			keys = append(keys, k)
		}
	}
	return shared, keys
}

// put gives the loader a value that was loaded by another way.
func (l *loader[K, V]) put(key K, value V) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.loads[key]; ok {
		return
	}
	done := make(chan struct{})
	close(done)
	l.keep(key, &load[K, V]{done: done, found: map[K]V{key: value}})
}

// keep remembers a load of a key; the caller holds the lock.
func (l *loader[K, V]) keep(key K, of *load[K, V]) {
	if l.loads == nil {
		l.loads = make(map[K]*load[K, V])
	}
	l.loads[key] = of
}

// loadError is the failure of one load. All who waited for it get it, and one of them logs it.
type loadError struct {
	cause  error
	logged sync.Once
}

func asLoadError(err error) error {
	if err == nil {
		return nil
	}
	return &loadError{cause: err}
}

func (e *loadError) Error() string { return e.cause.Error() }
func (e *loadError) Unwrap() error { return e.cause }

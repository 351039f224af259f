package validate

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	issuedPage = 5000
	// issuedBits per digest let fewer than 1 of 10,000 unknown ones through to the database.
	issuedBits = 24
	// issuedRoom is how many digests may be added before the filter is made anew.
	issuedRoom   = 50_000
	issuedReload = 6 * time.Hour // what was deleted still counts until then
	issuedRetry  = time.Second
	issuedLook   = 20 * time.Millisecond
)

// Digests lists what was ever issued and is not deleted: a page of digests, and the cursor of the next page, which is
// empty behind the last one.
type Digests func(ctx context.Context, after string, limit int) (digests [][]byte, next string, err error)

// issued knows of a digest that it was never issued, without asking anybody, so that a flood of unknown keys costs
// nothing but hashes (R-60, T14). It errs on one side only: what was issued is never excluded, as long as every change
// of the log is added before it is believed.
type issued struct {
	list   Digests
	wanted chan struct{}

	ready atomic.Pointer[bloom] // null: nothing is known

	mu        sync.Mutex
	added     int         // to the filter that is ready
	isLoading bool        // and not doubted since it began
	meanwhile [][2]uint64 // what was added while loading
}

func newIssued(list Digests) *issued { return &issued{list: list, wanted: make(chan struct{}, 1)} }

// excludes says that the digest was never issued.
func (i *issued) excludes(digest *[32]byte) bool {
	b := i.ready.Load()
	return b != nil && !b.has(bloomKey(digest))
}

func (i *issued) add(digests [][32]byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	ready := i.ready.Load()
	for d := range digests {
		key := bloomKey(&digests[d])
		if ready != nil {
			ready.add(key)
		}
		if i.isLoading {
			i.meanwhile = append(i.meanwhile, key)
		}
	}
	if i.added += len(digests); i.added > issuedRoom && !i.isLoading {
		i.want()
	}
}

// doubt gives up what is known, and has it loaded anew.
func (i *issued) doubt() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ready.Store(nil)
	i.isLoading, i.meanwhile = false, nil
	i.want()
}

func (i *issued) want() {
	select {
	case i.wanted <- struct{}{}:
	default:
	}
}

// run loads what was issued once isFollowed says that changes are being added, and again when that is wanted.
func (i *issued) run(ctx context.Context, isFollowed func() bool, failed func(error)) {
	if i.list == nil {
		return
	}
	i.want()
	timer := time.NewTimer(issuedReload)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-i.wanted:
		}
		wait := issuedReload
		switch {
		case !isFollowed(): // what is committed before it is followed would be neither loaded nor added
			wait = issuedLook
		default:
			if err := i.load(ctx); err != nil {
				failed(err)
				wait = issuedRetry
			}
		}
		timer.Reset(wait)
	}
}

func (i *issued) load(ctx context.Context) error {
	i.mu.Lock()
	i.isLoading, i.meanwhile = true, nil
	i.mu.Unlock()
	var all [][2]uint64
	for after := ""; ; {
		digests, next, err := i.list(ctx, after, issuedPage)
		if err != nil {
			return fmt.Errorf("list what was issued: %w", err)
		}
		for _, digest := range digests {
			all = append(all, bloomKey((*[32]byte)(digest)))
		}
		if after = next; next == "" {
			break
		}
	}
	filter := newBloom(len(all) + issuedRoom)
	for _, key := range all {
		filter.add(key)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.isLoading {
		return nil // doubted meanwhile: it is wanted again
	}
	for _, key := range i.meanwhile {
		filter.add(key)
	}
	i.added, i.isLoading, i.meanwhile = 0, false, nil
	i.ready.Store(filter)
	return nil
}

// bloom is a Bloom filter whose bits for one digest lie in one cache line, one in each of its words. Digests are made
// by an HMAC, so their own bits serve as hashes.
type bloom []atomic.Uint64

func newBloom(capacity int) *bloom {
	b := make(bloom, (capacity*issuedBits/512+1)*8)
	return &b
}

func bloomKey(digest *[32]byte) [2]uint64 {
	return [2]uint64{binary.LittleEndian.Uint64(digest[16:]), binary.LittleEndian.Uint64(digest[24:])}
}

func (b bloom) block(key [2]uint64) []atomic.Uint64 {
	at := key[0] % uint64(len(b)/8) * 8
	return b[at : at+8]
}

func (b bloom) add(key [2]uint64) {
	block := b.block(key)
	for i := range block {
		block[i].Or(1 << (key[1] >> (6 * i) & 63))
	}
}

func (b bloom) has(key [2]uint64) bool {
	block := b.block(key)
	for i := range block {
		if block[i].Load()&(1<<(key[1]>>(6*i)&63)) == 0 {
			return false
		}
	}
	return true
}

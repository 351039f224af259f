package validate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/validate"
)

// record keeps what is logged.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }

func (r *record) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Split(strings.TrimSpace(r.text.String()), "\n")
}

func TestUsesAreWrittenInBatchesAndOnShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var written [][]validate.Use
		uses := validate.NewUses(func(_ context.Context, u []validate.Use) error {
			written = append(written, append([]validate.Use(nil), u...))
			return nil
		}, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := uses.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		for range 3 {
			uses.Note(lifecycle.Facts{KeyID: "key_1", KeySetID: "ks_1"}, time.Now())
			time.Sleep(time.Second)
		}
		for i := range 600 {
			uses.Note(lifecycle.Facts{KeyID: lifecycle.KeyID(fmt.Sprint("other_", i)), KeySetID: "ks_2"}, time.Now())
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(written) != 2 || len(written[0]) != 500 || len(written[1]) != 101 {
			t.Fatalf("%d batches", len(written))
		}
		uses.Note(lifecycle.Facts{KeyID: "key_9"}, time.Now())
		cancel()
		running.Wait()
		if len(written) != 3 || written[2][0].KeyID != "key_9" {
			t.Fatalf("the last uses were not written: %d batches", len(written))
		}
	})
}

func TestUsesThatCannotBeWrittenAreKept(t *testing.T) {
	isDown := true
	var written []validate.Use
	uses := validate.NewUses(func(_ context.Context, u []validate.Use) error {
		if isDown {
			return errDown
		}
		written = append(written, u...)
		return nil
	}, nil)
	uses.Note(lifecycle.Facts{KeyID: "key_1"}, beginning.Add(time.Minute))
	if err := uses.Flush(t.Context()); !errors.Is(err, errDown) {
		t.Fatal(err)
	}
	uses.Note(lifecycle.Facts{KeyID: "key_1"}, beginning) // an older one never lowers it
	isDown = false
	if err := uses.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(written) != 1 || written[0].At != beginning.Add(time.Minute) {
		t.Fatalf("written %v", written)
	}
}

package store

import (
	"context"
	"crypto/sha256"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/keywright/keywright/internal/store/storetest"
	"github.com/keywright/keywright/internal/testenv"
)

// databases are what every test of lists runs on.
func databases() map[string]func(t testing.TB) *Store {
	open := func(t testing.TB, url string) *Store {
		s, err := Open(t.Context(), Config{URL: url, Chain: plainChain{}, Now: func() time.Time { return time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	return map[string]func(t testing.TB) *Store{
		"PostgreSQL": func(t testing.TB) *Store { return open(t, testenv.Postgres(t)) },
		"SQLite":     func(t testing.TB) *Store { return open(t, "sqlite:"+filepath.Join(t.TempDir(), "keywright.db")) },
	}
}

// plainChain chains without a secret.
type plainChain struct{}

func (plainChain) Current() int { return 1 }

func (plainChain) ChainMAC(_ int, data ...[]byte) []byte {
	h := sha256.New()
	for _, part := range data {
		h.Write(part)
	}
	return h.Sum(nil)
}

func TestLists(t *testing.T) {
	for name, open := range databases() {
		t.Run(name, func(t *testing.T) {
			storetest.RunLists(t, func(t testing.TB) storetest.Database {
				s := open(t)
				return storetest.Database{Store: s, SQL: s.read.DB}
			})
		})
	}
}

// statements counts what a store sends to its readers.
type statements struct {
	mu   sync.Mutex
	sent []string
}

func (s *statements) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (s *statements) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, e.Query)
}

// take returns what was sent since it was last asked.
func (s *statements) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := s.sent
	s.sent = nil
	return sent
}

func watch(s *Store) *statements {
	w := &statements{}
	s.read = s.read.WithQueryHook(w)
	return w
}

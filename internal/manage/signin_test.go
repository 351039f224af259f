package manage_test

import (
	"crypto/rand"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/store"
)

// A thousand streams of one credential ask together what it is worth: that takes one statement.
func TestR53_ManyCallersOfOneCredentialTakeOneStatementAtATime(t *testing.T) {
	onBothDatabases(t, func(t *testing.T, url string) {
		folder := t.TempDir()
		h := emptyHouse(t, folder, url)
		_, key, err := h.Bootstrap(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if url == "" {
			url = "sqlite:" + filepath.Join(folder, "keywright.db")
		}
		statements := atomic.Int64{}
		traced := must(store.Open(t.Context(), store.Config{URL: url, Chain: h.keyring, Now: h.now, Trace: func(string) { statements.Add(1) }}))(t)
		defer func() {
			if err := traced.Close(); err != nil {
				t.Error(err)
			}
		}()
		now := atomic.Int64{}
		authenticator := manage.NewAuthenticator(traced, h.keyring, func() time.Time { return h.now().Add(time.Duration(now.Load())) })
		ask := func(bearer string, n int, isAccepted bool) int64 {
			statements.Store(0)
			begin := make(chan struct{})
			var all sync.WaitGroup
			for range n {
				all.Go(func() {
					<-begin
					if _, err := authenticator.Authenticate(t.Context(), bearer); (err == nil) != isAccepted {
						t.Error(err)
					}
				})
			}
			close(begin)
			all.Wait()
			return statements.Load()
		}
		for range 5 {
			if got := ask(key.Reveal(), 1000, true); got != 1 {
				t.Errorf("1,000 callers took %d statements", got)
			}
			now.Add(int64(500 * time.Millisecond)) // what is remembered is old, for all at once
		}
		other := must(secret.NewCredential(rand.Reader, manage.SignInKeyPrefix))(t)
		if got := ask(other.Whole().Reveal(), 1, false); got != 1 {
			t.Errorf("a wrong credential took %d statements", got)
		}
	})
}

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
)

// measureNearMemory fills the memory of a node's own cache with a million keys, in this process and without a database,
// and compares the heap before and after.
func measureNearMemory(b *bench) {
	b.group(func(b *bench) {
		keyring, err := secret.CreateKeyring(filepath.Join(b.TempDir(), "secret.json"), rand.Reader, time.Now())
		b.must(err)
		began := time.Now()
		elapsed := func() time.Duration { return time.Since(began) }
		tenant := lifecycle.TenantID(lifecycle.IDs{Now: time.Now, Rand: rand.Reader}.New(lifecycle.KindTenant))
		service := validate.New(validate.Config{
			Keyring: keyring, Store: inventor{tenant: tenant, ids: lifecycle.IDs{Now: time.Now, Rand: rand.Reader}}, NotFound: errors.New("not found"),
			Entries: noEntries{}, Log: calm(elapsed), Now: time.Now, Elapsed: elapsed, Near: b.held,
		})
		sample := make([]secret.Text, 0, 1000)
		before := heap()
		for i := range b.held {
			c, err := secret.NewCredential(rand.Reader, "kw")
			b.must(err)
			verdict, err := service.Validate(b.ctx, tenant, &validate.Presentation{Credential: c.Whole()})
			b.must(err)
			if !verdict.IsValid() {
				b.Fatalf("an invented key is %s", verdict.Code)
			}
			if i%(b.held/1000) == 0 {
				sample = append(sample, c.Whole())
			}
		}
		used := heap() - before
		loads := service.Stats().Loads
		for c := range slices.Values(sample) {
			_, err := service.Validate(b.ctx, tenant, &validate.Presentation{Credential: c})
			b.must(err)
		}
		const section = "memory of a node's own cache"
		b.figure(section, fmt.Sprintf("for each of %d keys", b.held), fmt.Sprintf("%.0f bytes", float64(used)/float64(b.held)))
		b.figure(section, "– of them still held, by a sample", percent(float64(len(sample))-float64(service.Stats().Loads-loads), float64(len(sample))))
		runtime.KeepAlive(service)
	})
}

// heap is what is in use after everything else was collected.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one finalized
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// inventor is a database in which every key exists, each of another application.
type inventor struct {
	tenant lifecycle.TenantID
	ids    lifecycle.IDs
}

func (i inventor) Facts(context.Context, lifecycle.TenantID, []byte) (lifecycle.Facts, int64, error) {
	return lifecycle.Facts{
		TenantID: i.tenant, TenantStatus: lifecycle.TenantActive,
		ApplicationID: lifecycle.ApplicationID(i.ids.New(lifecycle.KindApplication)), ApplicationStatus: lifecycle.ApplicationActive,
		EnvironmentID: "env_01kak4q8n5e7hb2h7zj3s0m9qd", EnvironmentSlug: "production",
		KeySetID: lifecycle.KeySetID(i.ids.New(lifecycle.KindKeySet)), KeySetStatus: lifecycle.KeySetActive, Authentication: lifecycle.AuthenticationAPIKey,
		KeyID: lifecycle.KeyID(i.ids.New(lifecycle.KindKey)), KeyStatus: lifecycle.KeyActive,
		AuthorizedAPIs: []lifecycle.APIID{lifecycle.APIID([]byte("api_01kak4q8n5e7hb2h7zj3s0m9qd"))}, // as read: not shared with others
	}, 1, nil
}

func (inventor) GatewayFacts(context.Context, []byte) (lifecycle.GatewayFacts, int64, error) {
	return lifecycle.GatewayFacts{}, 0, errors.New("there are no gateways")
}

// noEntries is a shared state that has nothing and takes nothing.
type noEntries struct{}

func (noEntries) Lookup(context.Context, lifecycle.TenantID, [32]byte) (validate.Answer, error) {
	return validate.Answer{Watermark: 1}, nil
}

func (noEntries) Fill(context.Context, lifecycle.TenantID, [32]byte, string, int64, []byte, time.Duration) (bool, error) {
	return false, nil
}

// calm is a log in which nothing happens.
type calm func() time.Duration

func (c calm) Known() (int64, time.Duration, bool)     { return 1, c(), true }
func (c calm) Projected() (int64, time.Duration, bool) { return 1, c(), true }

package validate_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/validate"
	"github.com/keywright/keywright/test/history"
)

// action is one thing that happens to the installation, some time after the one before.
type action struct {
	After time.Duration
	Kind  string
	Node  int // one beyond the last: all of them
	Key   int
	Draw  int
}

// actions are what can happen, the more often the more often they stand here.
var actions = []string{
	"change a key", "change a key", "change a key", "change a key", "change a key and die",
	"change an application", "change a tenant", "write a lot else",
	"break the way to the database", "break the way to the database", "break the way to Redis", "break the way to Redis",
	"mend the way to the database", "mend the way to Redis", "mend everything",
	"empty Redis", "let Redis take no writes", "step the wall clock", "die", "start again",
}

func anyAction() *rapid.Generator[action] {
	return rapid.Custom(func(t *rapid.T) action {
		return action{
			After: time.Duration(rapid.IntRange(0, 700).Draw(t, "after ms")) * time.Millisecond,
			Kind:  rapid.SampledFrom(actions).Draw(t, "kind"),
			Node:  rapid.IntRange(0, modelNodes).Draw(t, "node"),
			Key:   rapid.IntRange(0, modelKeys-1).Draw(t, "key"),
			Draw:  rapid.IntRange(0, 99).Draw(t, "draw"),
		}
	})
}

// The lease as a model: real validators, followers and shared state of three nodes, on a database and links that break
// at random while keys change at random, in time that the test holds. What was answered is judged by what was
// acknowledged: nothing is untrue for longer than a second, whatever breaks; nobody is refused because
// something broke; and who reaches the database decides.
func TestR10_WhateverBreaksNoAnswerIsUntrueForLongerThanASecond(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue { // each is some seconds in the life of an installation
		previous := f.Value.String()
		if err := f.Value.Set("25"); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Value.Set(previous) }()
	}
	keyring := newKeyring(t)
	rapid.Check(t, func(rt *rapid.T) {
		plan := rapid.SliceOfN(anyAction(), 10, 40).Draw(rt, "plan")
		seed := rapid.Uint64().Draw(rt, "seed")
		var wrong []string
		synctest.Test(t, func(*testing.T) { wrong = live3(keyring, plan, seed) })
		if len(wrong) > 0 {
			rt.Fatalf("%d wrong answers, the first: %s", len(wrong), wrong[0])
		}
	})
}

// live3 lives through the plan, and says what was wrong.
func live3(keyring *secret.Keyring, plan []action, seed uint64) []string {
	in := newInstallation(keyring, seed)
	stop := make(chan struct{})
	var asking sync.WaitGroup
	for _, n := range in.nodes {
		asking.Go(func() { in.keepAsking(n, stop) })
	}
	time.Sleep(500 * time.Millisecond)
	var changing sync.WaitGroup
	for _, a := range plan {
		time.Sleep(a.After)
		changing.Go(func() { in.act(a) })
	}
	changing.Wait()
	in.mend()
	time.Sleep(4 * time.Second) // longer than whatever is tried again waits
	close(stop)
	asking.Wait()
	for _, n := range in.nodes {
		for _, k := range in.keys {
			in.ask(n, k)
		}
	}
	in.end()
	return in.wrong
}

func (in *installation) act(a action) {
	nodes := in.nodes
	if a.Node < len(in.nodes) {
		nodes = in.nodes[a.Node : a.Node+1]
	}
	k, n := in.keys[a.Key], nodes[0]
	switch a.Kind {
	case "change a key":
		in.commit(n, in.db.moveKey(k, a.Draw), false)
	case "change a key and die":
		in.commit(n, in.db.moveKey(k, a.Draw), true)
	case "change an application":
		in.commit(n, in.db.moveApplication(k), false)
	case "change a tenant":
		in.commit(n, in.db.moveTenant(k), false)
	case "write a lot else":
		in.commit(n, in.db.writeElse(k, 30*a.Draw), false)
	case "empty Redis":
		in.redis.empty()
	case "let Redis take no writes":
		in.redis.fill()
	case "step the wall clock":
		n.skew.Add(int64(time.Duration(a.Draw-50) * time.Minute))
	case "mend everything":
		in.mend()
	default:
		for _, n := range nodes {
			in.breakNode(n, a)
		}
	}
}

func (in *installation) breakNode(n *modelNode, a action) {
	broken := [](func(l *modelLink)){
		func(l *modelLink) { l.hold() },
		func(l *modelLink) { l.set(0, true) },
		func(l *modelLink) { l.set(time.Duration(a.Draw)*10*time.Millisecond, false) },
		func(l *modelLink) { l.set(2500*time.Millisecond, false) },
		func(l *modelLink) { l.lose() },
	}[a.Draw%5]
	switch a.Kind {
	case "break the way to the database":
		broken(n.db)
	case "break the way to Redis":
		broken(n.redis)
	case "mend the way to the database":
		n.db.mend()
	case "mend the way to Redis":
		n.redis.mend()
	case "die":
		n.die()
	case "start again":
		in.start(n)
	}
}

// keepAsking asks a node for all keys, those that do not exist yet included.
func (in *installation) keepAsking(n *modelNode, stop chan struct{}) {
	random := rand.New(rand.NewPCG(in.seed, uint64(n.number)))
	var asking sync.WaitGroup
	defer asking.Wait()
	for {
		select {
		case <-stop:
			return
		default:
		}
		for _, k := range in.keys {
			asking.Go(func() { in.ask(n, k) })
		}
		time.Sleep(20*time.Millisecond + time.Duration(random.Int64N(int64(80*time.Millisecond))))
	}
}

// ask asks once, and judges at once what changes that are acknowledged later cannot make right.
func (in *installation) ask(n *modelNode, k *modelKey) {
	life := n.life.Load()
	if life == nil {
		return
	}
	sent, skew := in.now(), n.skew.Load()
	verdict, err := life.service.Validate(in.ctx, k.tenant, &validate.Presentation{Credential: k.Whole()})
	received := in.now()
	switch {
	case err != nil && !errors.Is(err, validate.ErrUndecided):
		in.note("node %d: %v", n.number, err)
	case err != nil && n.db.hasBeenWell(received-sent+modelPatience):
		in.note("node %d could not decide at %v although it reaches the database: %v", n.number, sent, err)
	case err != nil:
	case verdict.Code == lifecycle.VerdictExpired:
		if skew == n.skew.Load() && time.Now().Add(time.Duration(skew)).Before(k.expiry) {
			in.note("node %d says %v before its time that key %d has expired", n.number, k.expiry, k.number)
		}
	case verdict.IsValid() && skew == n.skew.Load() && !in.at(sent).Add(time.Duration(skew)).Before(k.expiry):
		in.note("node %d accepts key %d after its time", n.number, k.number)
	default:
		if late := k.UntrueFor(verdict.IsValid(), sent, received); late > history.Bound {
			in.note("node %d says at %v of key %d %s, which has been untrue for %v", n.number, sent, k.number, verdict.Code, late)
		}
	}
}

func (in *installation) note(format string, args ...any) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.wrong = append(in.wrong, fmt.Sprintf(format, args...))
}

// mend has everything work again, and every node run.
func (in *installation) mend() {
	in.redis.makeRoom()
	for _, n := range in.nodes {
		n.db.mend()
		n.redis.mend()
		in.start(n)
	}
}

// accepts says whether facts pass, whatever the time.
func accepts(f lifecycle.Facts, exists bool) bool {
	f.ExpiresAt = nil
	verdict := lifecycle.Judge(&f, lifecycle.Presented{}, beginning)
	return exists && verdict.IsValid()
}

// moveKey brings a key into being, or changes it.
func (d *modelDatabase) moveKey(k *modelKey, draw int) change {
	return func() []lifecycle.Event {
		facts, exists := d.keys[k.digest]
		set := k.facts.KeySetID
		e := lifecycle.Event{TenantID: k.tenant, Type: lifecycle.EventKeySetCreated, KeySetID: &set}
		switch {
		case !exists:
			facts = k.facts
			facts.TenantStatus, facts.ApplicationStatus = d.tenants[k.tenant], d.applications[facts.ApplicationID]
		case draw < 10:
			e.Type = lifecycle.EventKeySetDeleted
			delete(d.keys, k.digest)
			return []lifecycle.Event{e}
		case draw < 30:
			e.Type = lifecycle.EventKeySetRevoked
			revoke(&facts)
		case facts.KeySetStatus == lifecycle.KeySetActive:
			e.Type = lifecycle.EventKeySetSuspended
			suspend(&facts)
		default:
			e.Type = lifecycle.EventKeySetReactivated
			facts.KeySetStatus, facts.KeyStatus = lifecycle.KeySetActive, lifecycle.KeyActive
		}
		d.keys[k.digest] = facts
		return []lifecycle.Event{e}
	}
}

func (d *modelDatabase) moveApplication(k *modelKey) change {
	return func() []lifecycle.Event {
		id := k.facts.ApplicationID
		status, kind := lifecycle.ApplicationSuspended, lifecycle.EventApplicationSuspended
		if d.applications[id] == status {
			status, kind = lifecycle.ApplicationActive, lifecycle.EventApplicationReactivated
		}
		d.applications[id] = status
		for digest, f := range d.keys {
			if f.ApplicationID == id {
				f.ApplicationStatus = status
				d.keys[digest] = f
			}
		}
		return []lifecycle.Event{{TenantID: k.tenant, Type: kind, ApplicationID: &id}}
	}
}

func (d *modelDatabase) moveTenant(k *modelKey) change {
	return func() []lifecycle.Event {
		status, kind := lifecycle.TenantSuspended, lifecycle.EventTenantSuspended
		if d.tenants[k.tenant] == status {
			status, kind = lifecycle.TenantActive, lifecycle.EventTenantReactivated
		}
		d.tenants[k.tenant] = status
		for digest, f := range d.keys {
			if f.TenantID == k.tenant {
				f.TenantStatus = status
				d.keys[digest] = f
			}
		}
		return []lifecycle.Event{{TenantID: k.tenant, Type: kind}}
	}
}

// writeElse fills the log, so that it takes several reads to its end.
func (d *modelDatabase) writeElse(k *modelKey, times int) change {
	return func() []lifecycle.Event {
		return slices.Repeat([]lifecycle.Event{{TenantID: k.tenant, Type: lifecycle.EventRoleCreated}}, times)
	}
}

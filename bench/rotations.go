package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os/exec"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/store"
)

// measureRotations measures rotations with a tenth of the key sets, and with all of them: how the speed changes with the table.
// Fewer than a thousand that are due are over before the speed shows.
func measureRotations(b *bench) {
	b.onBoth(func(b *bench, name string, make func() place) {
		if b.scheduled < 100_000 {
			b.rotate(name, make, b.scheduled)
			return
		}
		few := b.rotate(name, make, b.scheduled/10)
		many := b.rotate(name, make, b.scheduled)
		b.figure(fmt.Sprintf("rotations with ten times the key sets, %s", name), "rotations a second, to those before", fmt.Sprintf("%.2f", many/few))
	})
}

// rotate makes a tenth of the key sets of a tenant due in the same instant while a node answers validations, and waits until
// it has rotated all of them. It returns how many it did in a second.
func (b *bench) rotate(name string, make func() place, scheduled int) (perSecond float64) {
	b.group(func(b *bench) {
		const rate = 500 // validations a second
		s := &site{place: make()}
		first := s.start(b)
		s.furnish(b, first.Client)
		first.stop()
		s.store, s.keyring = b.open(s.place, nil)
		yard := s.yard(b)
		due := max(1, scheduled/10)
		later := instant().AddDate(0, 0, 30)
		yard.schedule(b, scheduled-due, func(i int) time.Time { return later.Add(time.Duration(i) * time.Second) })
		b.analyze(s.place)
		s.node = s.start(b)
		q, at := s.validates("VALID", same(string(s.presents(s.good)))), pace{connections: 4, perSecond: rate}
		b.streamFor(b.phase/2, s.node, q, at)
		before := b.streamFor(b.phase, s.node, q, at)
		var beside streamed
		b.beside(func() { beside = b.streamFor(b.phase, s.node, q, at) })

		// They are written before their time, so that all of them are due at once.
		instantDue := lifecycle.Instant(instant().Add(3*time.Second + time.Duration(due)*time.Millisecond))
		yard.schedule(b, due, func(int) time.Time { return instantDue })
		b.await(instantDue)
		ctx, end := context.WithCancel(b.ctx)
		drained := time.Duration(0)
		go func() {
			defer end()
			drained = b.drained(s.store, instantDue)
		}()
		var during streamed
		reads := b.counted(s.node, databaseReads, func() { during = b.stream(ctx, s.node, q, at) })
		if drained == 0 {
			b.Fatalf("%s", tail(s.node.logged()))
		}
		section := fmt.Sprintf("rotations of %d due key sets of %d scheduled, %s", due, scheduled, name)
		perSecond = float64(due) / drained.Seconds()
		b.judged(section, "rotations", fmt.Sprintf("%.0f/s", perSecond), "≥ 100/s", verdict(perSecond >= 100))
		p99, quiet := quantileOf(during.latencies, .99), quantileOf(before.latencies, .99)
		b.judged(section, fmt.Sprintf("p99 of %d validations a second meanwhile", rate), fmt.Sprintf("%s, %s without", short(p99), short(quiet)), "+ 20 %", verdict(p99 <= quiet*12/10))
		b.figure(section, "– without, but with a processor busy half of the time", short(quantileOf(beside.latencies, .99)))
		b.figure(section, "– p50", fmt.Sprintf("%s, %s without", short(quantileOf(during.latencies, .5)), short(quantileOf(before.latencies, .5))))
		b.figure(section, "– reads of the database for them", fmt.Sprintf("%.0f", reads))
		b.figure(section, "– refused or failed", fmt.Sprint(during.refused))
	})
	return perSecond
}

// beside runs fn while a process of its own keeps one processor busy half of the time, as rotating does: what is slower
// then is slower because of the machine.
func (b *bench) beside(fn func()) {
	ctx, end := context.WithCancel(b.ctx)
	command := exec.CommandContext(ctx, b.itself(), partBusy)
	b.must(command.Start())
	fn()
	end()
	_ = command.Wait() // it was killed
}

// keepBusy is the main function of that process.
func keepBusy(ctx context.Context) error {
	const spell = 100 * time.Millisecond
	rest := time.NewTicker(spell)
	defer rest.Stop()
	for {
		for began := time.Now(); time.Since(began) < spell; {
			continue
		}
		select {
		case <-rest.C:
		case <-ctx.Done():
			return nil
		}
		select {
		case <-rest.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// await waits for an instant.
func (b *bench) await(at time.Time) {
	wait := time.NewTimer(time.Until(at))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-b.ctx.Done():
		b.Fatal(b.ctx.Err())
	}
}

// drained is how long after an instant nothing is due any more that was due at it; 0: that did not happen.
func (b *bench) drained(db *store.Store, at time.Time) time.Duration {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-look.C:
		case <-b.ctx.Done():
			return 0
		}
		if due, err := db.TenantsWithDue(b.ctx, at); err != nil {
			return 0
		} else if len(due) == 0 {
			return time.Since(at)
		}
	}
}

// yard is where key sets that rotate are written straight into the database.
type yard struct {
	site   *site
	policy lifecycle.Policy
	app    lifecycle.ApplicationID
}

func (s *site) yard(b *bench) *yard {
	now, ids := instant(), lifecycle.IDs{Now: instant, Rand: rand.Reader}
	interval := lifecycle.Days(90)
	template := lifecycle.PolicyTemplate{
		ID: lifecycle.PolicyTemplateID(ids.New(lifecycle.KindPolicyTemplate)), TenantID: s.tenant, Name: "Rotating", AuthenticationType: lifecycle.AuthenticationAPIKey,
		Rules: lifecycle.Rules{
			SecretStorage: lifecycle.StorageHashed, Renewal: lifecycle.RenewalRule{Mode: lifecycle.RenewalNewKey}, ClaimWindow: lifecycle.DefaultClaimWindow(),
			Rotation: lifecycle.RotationRule{Mode: lifecycle.RotationAutomatic, Interval: &interval, Overlap: lifecycle.Days(1)},
		},
		Revision: 1, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	y := &yard{site: s, policy: template.Freeze(lifecycle.PolicyID(ids.New(lifecycle.KindPolicy)), now), app: lifecycle.ApplicationID(ids.New(lifecycle.KindApplication))}
	insert(b, s.store, &template, &y.policy, &lifecycle.Application{
		ID: y.app, TenantID: s.tenant, OrganizationID: s.organization, Name: string(y.app), Status: lifecycle.ApplicationActive, Version: 1, CreatedAt: now, UpdatedAt: now,
	})
	return y
}

// schedule writes key sets, each with its key and its milestone.
func (y *yard) schedule(b *bench, n int, at func(i int) time.Time) {
	const part = 2000 // of the rows in one transaction
	ids := lifecycle.IDs{Now: instant, Rand: rand.Reader}
	for from := 0; from < n; from += part {
		var sets []lifecycle.KeySet
		var keys []lifecycle.Key
		var milestones []lifecycle.Milestone
		for i := from; i < min(from+part, n); i++ {
			id, digest := ids.New(lifecycle.KindKeySet), make([]byte, 32)
			_, _ = rand.Read(digest)
			t := lifecycle.Create(lifecycle.KeySet{
				ID: lifecycle.KeySetID(id), TenantID: y.site.tenant, ApplicationID: y.app, EnvironmentID: y.site.environment, PolicyID: y.policy.ID,
				AuthenticationType: lifecycle.AuthenticationAPIKey, Name: id, Version: 1, CreatedAt: instant(), UpdatedAt: instant(),
			}, y.policy, lifecycle.Key{ID: lifecycle.KeyID(ids.New(lifecycle.KindKey)), PublicIdentifier: "kw_" + id, Digest: digest},
				false, lifecycle.Moment{Now: instant(), Zone: time.UTC, NewID: ids.New})
			due := at(i)
			t.KeySet.RotatesAt = &due
			for j := range t.Milestones {
				if t.Milestones[j].Kind == lifecycle.MilestoneRotation {
					t.Milestones[j].PlannedAt = &due
				}
			}
			sets, keys, milestones = append(sets, t.KeySet), append(keys, t.Keys...), append(milestones, t.Milestones...)
		}
		insert(b, y.site.store, &sets, &keys, &milestones)
	}
}

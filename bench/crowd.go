package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/query"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/store"
)

// crowdDocument selects of each key set what its row has.
const crowdDocument = `query($first: Int!, $search: String) { keySets(first: $first, search: $search) {
	nodes { id name status isDefault authenticationType labels { name value } expiresAt lastUsedAt version createdAt updatedAt }
	pageInfo { hasNextPage endCursor } } }`

// measureCrowd compares lists of a large tenant with the statements that they send, run straight through the driver.
func measureCrowd(b *bench) {
	b.onBoth(func(b *bench, name string, make func() place) {
		here := make()
		first := b.keywright(here.data, here.flags...) // makes the tenant and its administrator
		tenant := lifecycle.TenantID(first.Do(b, `{ viewer { tenant { id } } }`, nil).Text(b, "viewer", "tenant", "id"))
		first.stop()
		var statement string
		db, _ := b.open(here, func(sent string) { statement = sent })
		b.crowd(db, tenant)
		b.analyze(here)
		server, bare := b.keywright(here.data, here.flags...), b.bare(here.database, here.data)
		for _, question := range []struct{ name, search string }{
			{"first page", ""}, {"search, few have it", fmt.Sprintf("(%d)", b.effort.crowd/2)}, {"search, many have it", "orders"},
		} {
			n := listed
			_, err := db.KeySets(b.ctx, tenant, query.KeySetQuery{Search: question.search, Page: query.Page{First: &n}}, manage.Moment{Now: instant(), Zone: time.UTC})
			b.must(err)
			variables := map[string]any{"first": n}
			if question.search != "" {
				variables["search"] = question.search
			}
			b.compare(fmt.Sprintf("%d key sets, %s, %s", b.effort.crowd, question.name, name),
				b.ask(bare, "/sql", `[["ks_`, same(statement)), b.ask(server, "/graphql", `"nodes":[{"id"`, same(graphBody(crowdDocument, variables))))
		}
	})
}

func (b *bench) open(at place, trace func(string)) (*store.Store, *secret.Keyring) {
	keyring, err := secret.LoadKeyring(at.data + "/secret.json")
	b.must(err)
	db, err := store.Open(b.ctx, store.Config{URL: at.database, Chain: keyring, Now: instant, Trace: trace})
	b.must(err)
	b.Cleanup(func() { b.must(db.Close()) })
	return db, keyring
}

// crowd fills a tenant: 50 key sets for each application, one in 200 suspended.
func (b *bench) crowd(db *store.Store, tenant lifecycle.TenantID) {
	now := instant()
	tick := now.AddDate(-1, 0, 0)
	ids := lifecycle.IDs{Now: func() time.Time { return tick }, Rand: rand.Reader}
	org := lifecycle.Organization{ID: lifecycle.OrganizationID(ids.New(lifecycle.KindOrganization)), TenantID: tenant, Name: "Logistics", Version: 1, CreatedAt: now, UpdatedAt: now}
	env := lifecycle.Environment{ID: lifecycle.EnvironmentID(ids.New(lifecycle.KindEnvironment)), TenantID: tenant, Name: "Crowded", Slug: "crowded", Version: 1, CreatedAt: now, UpdatedAt: now}
	template := lifecycle.PolicyTemplate{
		ID: lifecycle.PolicyTemplateID(ids.New(lifecycle.KindPolicyTemplate)), TenantID: tenant, Name: "Crowd", AuthenticationType: lifecycle.AuthenticationAPIKey,
		Rules:    lifecycle.Rules{SecretStorage: lifecycle.StorageHashed, Rotation: lifecycle.RotationRule{Mode: lifecycle.RotationNone}, Renewal: lifecycle.RenewalRule{Mode: lifecycle.RenewalNewKey}},
		Revision: 1, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	policy := template.Freeze(lifecycle.PolicyID(ids.New(lifecycle.KindPolicy)), now)
	var apps []lifecycle.Application
	for i := range max(1, b.effort.crowd/50) {
		apps = append(apps, lifecycle.Application{
			ID: lifecycle.ApplicationID(ids.New(lifecycle.KindApplication)), TenantID: tenant, OrganizationID: org.ID, Name: fmt.Sprintf("Shop %d", i),
			Status: lifecycle.ApplicationActive, Labels: []lifecycle.Label{}, Version: 1, CreatedAt: now, UpdatedAt: now,
		})
	}
	insert(b, db, &org, &env, &template, &policy, &apps)
	const part = 5000 // of the rows in one transaction
	for from := 0; from < b.effort.crowd; from += part {
		var sets []lifecycle.KeySet
		for i := from; i < min(from+part, b.effort.crowd); i++ {
			tick = tick.Add(time.Minute)
			set := lifecycle.KeySet{
				ID: lifecycle.KeySetID(ids.New(lifecycle.KindKeySet)), TenantID: tenant, ApplicationID: apps[i%len(apps)].ID, EnvironmentID: env.ID, PolicyID: policy.ID,
				AuthenticationType: lifecycle.AuthenticationAPIKey, Name: fmt.Sprintf("API key for %s (%d)", topic(i), i), Status: lifecycle.KeySetActive,
				Labels: []lifecycle.Label{{Name: "team", Value: topic(i + 1)}}, PublicIdentifier: fmt.Sprintf("kw_%06x", i*7919), ActivatedAt: &tick,
				Version: 1, CreatedAt: tick, UpdatedAt: tick,
			}
			if i%200 == 0 {
				cause := lifecycle.SuspendedManual
				set.Status, set.SuspendedAt, set.SuspensionCause = lifecycle.KeySetSuspended, &tick, &cause
			}
			sets = append(sets, set)
		}
		insert(b, db, &sets)
	}
}

func topic(i int) string {
	return []string{"Orders", "Invoices", "Parcels", "Customers", "Prices", "Routes", "Claims", "Stocks"}[i%8]
}

func insert(b *bench, db *store.Store, rows ...any) {
	_, err := db.Write(b.ctx, func(ctx context.Context, tx manage.Tx) error {
		for _, row := range rows {
			if err := tx.Insert(ctx, row); err != nil {
				return err
			}
		}
		return nil
	})
	b.must(err)
}

// analyze counts rows now, as PostgreSQL does by itself after a while. SQLite is never told to.
func (b *bench) analyze(at place) {
	if strings.HasPrefix(at.database, "sqlite:") {
		return
	}
	db, err := openDirect(at.database)
	b.must(err)
	_, err = db.ExecContext(b.ctx, "ANALYZE")
	b.must(errors.Join(err, db.Close()))
}

// Package object holds what the graph shows and the core does not know as such: the graph's
// interfaces and unions, and objects that are put together of several of the core.
package object

import (
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/query"
)

// Interfaces and unions are empty interfaces: the concrete types are those of the core, which
// knows nothing of the graph, and the generated code tells them apart.
type (
	// Node is an object with a globally unique id.
	Node interface{}
	// Actor is anyone or anything that can act.
	Actor interface{}
	// UserError is an error that the caller can correct.
	UserError interface{}
	// StreamMessage is a message of a subscription.
	StreamMessage interface{}
	// EventSubject is an object that events are about.
	EventSubject interface{}
	// ApprovalSubject is an object that an approval request is about.
	ApprovalSubject interface{}
	// BulkSubject is an object that bulk mutations work on.
	BulkSubject interface{}
	// Credentials are the secret values of one key.
	Credentials interface{}
)

// TenantSettings are a tenant's settings, with the tenant that they are of.
type TenantSettings struct {
	lifecycle.TenantSettings
	TenantID lifecycle.TenantID
	Version  int
}

// SettingsOf returns the settings of a tenant, with the version that they share with it.
func SettingsOf(t lifecycle.Tenant) *TenantSettings {
	return &TenantSettings{TenantSettings: t.Settings, TenantID: t.ID, Version: t.Version}
}

// Validation is a verdict as the graph shows it. The objects that it names are loaded when they
// are asked for.
type Validation struct{ lifecycle.Verdict }

// RetryAfter is how long to wait before the next call, in whole seconds. Null: waiting does not help, or is not needed.
func (v Validation) RetryAfter() *int {
	if seconds := v.RetrySeconds(); seconds > 0 {
		return &seconds
	}
	return nil
}

// ExpiresAt is when the key ends, by its validity or its overlap, whichever is first. Null:
// never, or the key is not known.
func (v Validation) ExpiresAt() *time.Time {
	if v.Facts == nil {
		return nil
	}
	return v.Facts.EndsAt()
}

// ExpiresInDays is how many whole days the key still works. Null: enough, or it is not known.
func (v Validation) ExpiresInDays() *int {
	if days, isSoon := v.EndsInDays(); isSoon {
		return &days
	}
	return nil
}

// Pages of items of a bulk operation.
type (
	BulkOperationItemConnection = query.Connection[lifecycle.BulkOperationItem]
	BulkOperationItemEdge       = query.Edge[lifecycle.BulkOperationItem]
)

// Package access says who is calling and what they may do.
package access

import (
	"fmt"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// Principal is an authenticated caller. It is passed as an argument, never found in a context
// by the layers below the edges.
type Principal struct {
	TenantID     lifecycle.TenantID
	TenantStatus lifecycle.TenantStatus
	UserID       lifecycle.UserID
	DisplayName  string
	SignInKeyID  lifecycle.SignInKeyID
	Permissions  map[lifecycle.Permission]bool
	ExpiresAt    *time.Time // when the credential ends; null: until it is revoked
	Component    string     // part of the server that acts by itself; empty: a user acts
}

// System is a part of the server that acts by itself in a tenant, with every permission.
func System(tenant lifecycle.TenantID, component string) Principal {
	p := Principal{
		TenantID: tenant, TenantStatus: lifecycle.TenantActive, DisplayName: "Keywright " + component,
		Component: component, Permissions: make(map[lifecycle.Permission]bool),
	}
	for _, permission := range lifecycle.AllPermission() {
		p.Permissions[permission] = true
	}
	return p
}

// Holds reports whether the caller has the permission. Nobody has one that was not granted.
func (p Principal) Holds(permission lifecycle.Permission) bool { return p.Permissions[permission] }

// Require refuses a caller without the permission.
func (p Principal) Require(permission lifecycle.Permission) error {
	if p.Holds(permission) {
		return nil
	}
	return &lifecycle.Refusal{
		Code: lifecycle.CodePermissionDenied, Permission: permission,
		Message: fmt.Sprintf("the permission %s is needed", permission),
	}
}

// Actor is how the log names the caller.
func (p Principal) Actor() lifecycle.ActorRef {
	if p.Component != "" {
		return lifecycle.ActorRef{Kind: lifecycle.ActorSystem, ID: p.Component, Name: p.DisplayName}
	}
	return lifecycle.ActorRef{Kind: lifecycle.ActorUser, ID: string(p.UserID), Name: p.DisplayName}
}

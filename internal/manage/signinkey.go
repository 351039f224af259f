package manage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

// SignInKeyPrefix is what every sign-in key starts with. No API key can start with it.
const SignInKeyPrefix = "kwu"

// IssueSignInKey is what IssueSignInKey is asked for.
type IssueSignInKey struct {
	UserID   lifecycle.UserID
	Lifetime *lifecycle.Duration // null: until it is revoked
}

// IssueSignInKeyResult is what IssueSignInKey ends with.
type IssueSignInKeyResult struct {
	User      lifecycle.User
	ExpiresAt *time.Time
	SignInKey secret.Text `json:"-"` // shown once; its digest is all that is kept
}

func (r *IssueSignInKeyResult) secretTexts() []*secret.Text { return []*secret.Text{&r.SignInKey} }

// IssueSignInKey gives a user a bearer credential for the graph. Who holds it acts as the user,
// so the caller must hold whatever the user holds.
func (s *Service) IssueSignInKey(ctx context.Context, call Call, in IssueSignInKey) (*IssueSignInKeyResult, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*IssueSignInKeyResult, error) {
		var expiresAt *time.Time
		if in.Lifetime != nil {
			if in.Lifetime.IsZero() || in.Lifetime.IsNegative() {
				return nil, lifecycle.Invalid("must be longer than zero; leave it out for never", "input", "lifetime")
			}
			end := in.Lifetime.AddTo(w.moment.Now, w.moment.Zone)
			expiresAt = &end
		}
		user, err := lock[lifecycle.User](ctx, w, in.UserID, "user", "input", "userId")
		if err != nil {
			return nil, err
		}
		if user.Status != lifecycle.UserActive {
			return nil, &lifecycle.Refusal{
				Code: lifecycle.CodeInvalidStatusTransition, Path: []string{"input", "userId"}, CurrentStatus: string(user.Status),
				Message: fmt.Sprintf("a user who is %s may not sign in", user.Status), AllowedActions: []lifecycle.KeySetAction{},
			}
		}
		granted, err := w.permissionsOf(ctx, user.ID)
		if err != nil {
			return nil, err
		}
		if err := w.mayGrant(granted, "input", "userId"); err != nil {
			return nil, err
		}
		key, text, err := s.newSignInKey(user, expiresAt, w.moment)
		if err != nil {
			return nil, err
		}
		if err := w.insert(ctx, &key); err != nil {
			return nil, err
		}
		changes := lifecycle.Changed(nil, "publicIdentifier", "", key.PublicIdentifier)
		if expiresAt != nil {
			changes = lifecycle.Changed(changes, "expiresAt", "", expiresAt.Format(time.RFC3339Nano))
		}
		w.happened(lifecycle.EventSignInKeyIssued, string(user.ID), fmt.Sprintf("User %q was given a sign-in key", user.DisplayName), changes)
		return &IssueSignInKeyResult{User: user, ExpiresAt: expiresAt, SignInKey: text}, nil
	})
}

func (s *Service) newSignInKey(user lifecycle.User, expiresAt *time.Time, m lifecycle.Moment) (lifecycle.SignInKey, secret.Text, error) {
	credential, err := secret.NewCredential(s.ids.Rand, SignInKeyPrefix)
	if err != nil {
		return lifecycle.SignInKey{}, secret.Text{}, fmt.Errorf("make sign-in key: %w", err)
	}
	version := s.keyring.Current()
	digest := s.keyring.Digest(version, credential)
	return lifecycle.SignInKey{
		ID: lifecycle.SignInKeyID(m.NewID(lifecycle.KindSignInKey)), TenantID: user.TenantID, UserID: user.ID,
		PublicIdentifier: credential.PublicID(), Digest: digest[:], DigestVersion: version, ExpiresAt: expiresAt, CreatedAt: m.Now,
	}, credential.Whole(), nil
}

// permissionsOf lists what the roles of a locked user grant.
func (w *work) permissionsOf(ctx context.Context, user lifecycle.UserID) ([]lifecycle.Permission, error) {
	assignments, err := w.store.RoleAssignmentsOfUsers(ctx, w.tenant.ID, []lifecycle.UserID{user})
	if err != nil {
		return nil, fmt.Errorf("find roles of user: %w", err)
	}
	var ids []lifecycle.RoleID
	for _, a := range assignments[user] {
		ids = append(ids, a.RoleID)
	}
	roles, err := get[lifecycle.Role](ctx, w.store, w.tenant.ID, ids...)
	if err != nil {
		return nil, err
	}
	var all []lifecycle.Permission
	for _, role := range roles {
		all = append(all, role.Permissions...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// RevokeSignInKeysResult is what RevokeSignInKeys ends with.
type RevokeSignInKeysResult struct {
	User         lifecycle.User
	RevokedCount int
}

// RevokeSignInKeys ends every sign-in key of a user. Those of the last user who could give
// somebody a new one stay: nobody could ever sign in to help.
func (s *Service) RevokeSignInKeys(ctx context.Context, call Call, id lifecycle.UserID) (*RevokeSignInKeysResult, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*RevokeSignInKeysResult, error) {
		return keepingAdministrators(ctx, w, []string{"input", "userId"}, func() (*RevokeSignInKeysResult, error) {
			user, err := lock[lifecycle.User](ctx, w, id, "user", "input", "userId")
			if err != nil {
				return nil, err
			}
			n, err := w.Tx.RevokeSignInKeys(ctx, w.tenant.ID, id, w.moment.Now)
			if err != nil {
				return nil, fmt.Errorf("revoke sign-in keys: %w", err)
			}
			if n > 0 {
				w.happened(lifecycle.EventSignInKeysRevoked, string(id), fmt.Sprintf("All sign-in keys of user %q were revoked", user.DisplayName), nil)
			}
			return &RevokeSignInKeysResult{User: user, RevokedCount: n}, nil
		})
	})
}

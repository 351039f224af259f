package manage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

// Credentials are the secret values of one key. They appear in results of use cases, never on
// an object that can be queried.
type Credentials struct {
	AuthenticationType lifecycle.AuthenticationType
	PublicIdentifier   string      // user name or client id
	Secret             secret.Text `json:"-"` // the API key, the password or the client secret
}

// credentialsOf splits a credential into what its authentication type shows (S4-22): an API key
// is one text, the others are a public and a secret part.
func credentialsOf(t lifecycle.AuthenticationType, c secret.Credential) *Credentials {
	text := c.SecretPart()
	if t == lifecycle.AuthenticationAPIKey {
		text = c.Whole()
	}
	return &Credentials{AuthenticationType: t, PublicIdentifier: c.PublicID(), Secret: text}
}

// issuance is a new secret, and the key that will hold it.
type issuance struct {
	key        lifecycle.Key
	credential secret.Credential
}

// newKey makes a secret. User names and client ids stay the same from one generation to the
// next; API keys get a new public identifier, because it is part of the one text.
func (w *work) newKey(t lifecycle.AuthenticationType, policy lifecycle.Policy, previousPublicID string) (issuance, error) {
	prefix := w.tenant.Settings.KeyPrefix
	if policy.KeyPrefix != nil {
		prefix = *policy.KeyPrefix
	}
	var c secret.Credential
	var err error
	if oldPrefix, id, found := strings.Cut(previousPublicID, "_"); found && t != lifecycle.AuthenticationAPIKey {
		c, err = secret.NewGeneration(w.ids.Rand, oldPrefix, id)
	} else {
		c, err = secret.NewCredential(w.ids.Rand, prefix)
	}
	if err != nil {
		return issuance{}, fmt.Errorf("make credential: %w", err)
	}
	version := w.keyring.Current()
	digest := w.keyring.Digest(version, c)
	return issuance{credential: c, key: lifecycle.Key{
		ID:               lifecycle.KeyID(w.moment.NewID(lifecycle.KindKey)),
		PublicIdentifier: c.PublicID(), Hint: c.Hint(), Digest: digest[:], DigestVersion: version,
		IsRecoverable: policy.SecretStorage == lifecycle.StorageEncrypted,
	}}, nil
}

// waitFor lets the secret be claimed by a user, who was not present when it was made (D20). Until when the key's moves
// say. A secret that can be retrieved anyway waits for nobody.
func (i *issuance) waitFor(user lifecycle.UserID) {
	if !i.key.IsRecoverable {
		i.key.ClaimantID = &user
	}
}

// keep stores the sealed value of a new key where the policy says that it can be retrieved, or somebody is to claim it.
func (w *work) keep(ctx context.Context, i issuance) error {
	if !i.key.IsRecoverable && i.key.ClaimantID == nil && i.key.ClaimableUntil == nil {
		return nil
	}
	sealed, err := w.seal(i.credential.Whole(), w.sealContext(i.key.ID))
	if err != nil {
		return err
	}
	return w.PutSealed(ctx, w.tenant.ID, i.key.ID, sealed)
}

// sealContext binds a sealed value to its tenant and key.
func (w *work) sealContext(key lifecycle.KeyID) []byte {
	return []byte("key\x00" + string(w.tenant.ID) + "\x00" + string(key))
}

// RetrieveCredentialsResult is what RetrieveCredentials ends with.
type RetrieveCredentialsResult struct {
	Key         lifecycle.Key
	Credentials *Credentials
}

// RetrieveCredentials opens the sealed value of the latest key, where the policy keeps one
// (S0-29, D13, D20), also while the key set is suspended (S0-43). One that is kept only for who asked for it is destroyed
// when it is handed out. The log line stands in the same transaction: without it nothing is opened. id names the
// key, or its key set.
// An idempotency key means nothing here: each time that secrets are handed out is checked and logged.
func (s *Service) RetrieveCredentials(ctx context.Context, call Call, id string) (*RetrieveCredentialsResult, error) {
	call.Idempotency = nil
	return change(ctx, s, call, func(ctx context.Context, w *work) (*RetrieveCredentialsResult, error) {
		state, key, err := w.lockKeySetOfKey(ctx, id)
		if err != nil {
			return nil, err
		}
		set, latest := state.KeySet, state.LatestKey()
		if key != nil && key.ID != latest.ID {
			return nil, &lifecycle.Refusal{
				Code: lifecycle.CodeInvalidStatusTransition, Path: inputID, CurrentStatus: string(key.StatusAt(w.moment.Now)),
				Message:        "a newer key took the place of this one: only the credentials of the latest key can be retrieved",
				AllowedActions: set.AllowedActions(w.moment.Now),
			}
		}
		status := set.StatusAt(w.moment.Now)
		if status != lifecycle.KeySetActive && status != lifecycle.KeySetSuspended {
			return nil, &lifecycle.Refusal{
				Code: lifecycle.CodeInvalidStatusTransition, Path: inputID, CurrentStatus: string(status),
				Message:        fmt.Sprintf("the credentials of a key set that is %s cannot be retrieved", status),
				AllowedActions: set.AllowedActions(w.moment.Now),
			}
		}
		isClaimed := latest.CanBeClaimed(w.call.By.UserID, w.moment.Now)
		if !latest.IsRecoverable && !isClaimed {
			return nil, &lifecycle.Refusal{
				Code: lifecycle.CodePolicyViolation, Path: inputID, PolicyID: set.PolicyID,
				Message: "the policy stores a hash of the secret only: it was shown once, or waits for who asked for it; regenerate the key set to get a new one",
			}
		}
		sealed, err := w.Sealed(ctx, w.tenant.ID, latest.ID)
		if err != nil {
			return nil, fmt.Errorf("load sealed value of key %s: %w", latest.ID, err)
		}
		text, err := w.open(sealed, w.sealContext(latest.ID))
		if err != nil {
			return nil, err
		}
		credential, err := secret.Parse(text.Reveal())
		if err != nil {
			return nil, errors.New("the sealed value is not a credential")
		}
		if isClaimed {
			if err := w.claimed(ctx, &latest); err != nil {
				return nil, err
			}
		}
		w.record(set.Event(lifecycle.EventCredentialsRetrieved))
		return &RetrieveCredentialsResult{Key: latest, Credentials: credentialsOf(set.AuthenticationType, credential)}, nil
	})
}

// claimed destroys what was kept of a secret that is handed out now (D20).
func (w *work) claimed(ctx context.Context, key *lifecycle.Key) error {
	key.ClaimableUntil = nil
	if err := w.Update(ctx, key); err != nil {
		return fmt.Errorf("note the claim of key %s: %w", key.ID, err)
	}
	return w.DeleteSealed(ctx, w.tenant.ID, key.ID)
}

// lockKeySetOfKey locks the key set that an id names, itself or by one of its keys, which comes
// with it then.
func (w *work) lockKeySetOfKey(ctx context.Context, id string) (lifecycle.KeySetState, *lifecycle.Key, error) {
	if kind, err := lifecycle.KindOf(id); err != nil || kind != lifecycle.KindKey {
		state, err := w.lockKeySet(ctx, lifecycle.KeySetID(id), nil)
		return state, nil, err
	}
	key, err := getOne[lifecycle.Key](ctx, w.store, w.tenant.ID, lifecycle.KeyID(id), "key", inputID...)
	if err != nil {
		return lifecycle.KeySetState{}, nil, err
	}
	state, err := w.lockKeySet(ctx, key.KeySetID, nil)
	return state, &key, err
}

// RecordRetrievalDenied notes that a caller without permission tried to retrieve credentials
// . It changes nothing else, and says nothing about whether the key set exists.
func (s *Service) RecordRetrievalDenied(ctx context.Context, call Call, id string) error {
	_, err := change(ctx, s, call, func(ctx context.Context, w *work) (struct{}, error) {
		state, _, err := w.lockKeySetOfKey(ctx, id)
		var refused *lifecycle.Refusal
		if errors.As(err, &refused) {
			return struct{}{}, nil
		}
		if err == nil {
			w.record(state.KeySet.Event(lifecycle.EventCredentialsRetrievalDenied))
		}
		return struct{}{}, err
	})
	return err
}

package manage

import (
	"context"
	"fmt"
	"strconv"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

// GatewayTokenPrefix is what every gateway token starts with. No API key can start with it.
const GatewayTokenPrefix = "kwg"

// RegisterGateway is what RegisterGateway is asked for.
type RegisterGateway struct {
	EnvironmentID lifecycle.EnvironmentID
	Name          string // unique in the environment
	Dialect       lifecycle.GatewayDialect
	IsReasonShown bool
}

// GatewayResult is a gateway, and its token when that is new.
type GatewayResult struct {
	Gateway lifecycle.Gateway
	Token   secret.Text `json:"-"` // shown once; its digest is all that is kept
}

func (r *GatewayResult) secretTexts() []*secret.Text { return []*secret.Text{&r.Token} }

// RegisterGateway adds a gateway to an environment and gives it its token.
func (s *Service) RegisterGateway(ctx context.Context, call Call, in RegisterGateway) (*GatewayResult, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*GatewayResult, error) {
		if err := checkGateway(in.Name, in.Dialect); err != nil {
			return nil, err
		}
		if _, err := lock[lifecycle.Environment](ctx, w, in.EnvironmentID, "environment", "input", "environmentId"); err != nil {
			return nil, err
		}
		gateway := lifecycle.Gateway{
			ID: lifecycle.GatewayID(w.moment.NewID(lifecycle.KindGateway)), TenantID: w.tenant.ID, EnvironmentID: in.EnvironmentID,
			Name: in.Name, Dialect: in.Dialect, IsReasonShown: in.IsReasonShown,
			Version: 1, CreatedAt: w.moment.Now, UpdatedAt: w.moment.Now,
		}
		token, err := w.giveToken(&gateway)
		if err != nil {
			return nil, err
		}
		if err := w.insert(ctx, &gateway); err != nil {
			return nil, err
		}
		w.happenedTo(gateway, lifecycle.EventGatewayRegistered, "was registered", gatewayChanges(lifecycle.Gateway{}, gateway))
		return &GatewayResult{Gateway: gateway, Token: token}, nil
	})
}

// UpdateGateway is what UpdateGateway is asked for.
type UpdateGateway struct {
	ID              lifecycle.GatewayID
	ExpectedVersion *int
	Name            Patch[string]
	Dialect         Patch[lifecycle.GatewayDialect]
	IsReasonShown   Patch[bool]
}

// UpdateGateway changes a gateway. Its environment and its token stay.
func (s *Service) UpdateGateway(ctx context.Context, call Call, in UpdateGateway) (*lifecycle.Gateway, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*lifecycle.Gateway, error) {
		gateway, err := w.lockGateway(ctx, in.ID, in.ExpectedVersion)
		if err != nil {
			return nil, err
		}
		before := gateway
		if in.Name.IsSet {
			gateway.Name = in.Name.Value
		}
		if in.Dialect.IsSet {
			gateway.Dialect = in.Dialect.Value
		}
		if in.IsReasonShown.IsSet {
			gateway.IsReasonShown = in.IsReasonShown.Value
		}
		if err := checkGateway(gateway.Name, gateway.Dialect); err != nil {
			return nil, err
		}
		changes := gatewayChanges(before, gateway)
		if len(changes) == 0 {
			return &gateway, nil
		}
		if err := w.update(ctx, &gateway, &gateway.Version, &gateway.UpdatedAt); err != nil {
			return nil, err
		}
		w.happenedTo(gateway, lifecycle.EventGatewayUpdated, "was changed", changes)
		return &gateway, nil
	})
}

// ReplaceGatewayToken gives a gateway another token. The one before ends at once.
func (s *Service) ReplaceGatewayToken(ctx context.Context, call Call, id lifecycle.GatewayID, expectedVersion *int) (*GatewayResult, error) {
	return changeActive(ctx, s, call, func(ctx context.Context, w *work) (*GatewayResult, error) {
		gateway, err := w.lockGateway(ctx, id, expectedVersion)
		if err != nil {
			return nil, err
		}
		before := gateway
		token, err := w.giveToken(&gateway)
		if err != nil {
			return nil, err
		}
		if err := w.update(ctx, &gateway, &gateway.Version, &gateway.UpdatedAt); err != nil {
			return nil, err
		}
		w.happenedTo(gateway, lifecycle.EventGatewayTokenReplaced, "was given another token", gatewayChanges(before, gateway))
		return &GatewayResult{Gateway: gateway, Token: token}, nil
	})
}

// DeregisterGateway removes a gateway. Its token ends with it.
func (s *Service) DeregisterGateway(ctx context.Context, call Call, id lifecycle.GatewayID, expectedVersion *int) error {
	_, err := changeActive(ctx, s, call, func(ctx context.Context, w *work) (struct{}, error) {
		gateway, err := w.lockGateway(ctx, id, expectedVersion)
		if err != nil {
			return struct{}{}, err
		}
		w.happenedTo(gateway, lifecycle.EventGatewayDeregistered, "was removed", nil)
		return struct{}{}, w.deleteUnused(ctx, (*lifecycle.Gateway)(nil), string(id), "gateway")
	})
	return err
}

// giveToken puts the digest of a new token in place of what was there.
func (w *work) giveToken(gateway *lifecycle.Gateway) (secret.Text, error) {
	credential, err := secret.NewCredential(w.ids.Rand, GatewayTokenPrefix)
	if err != nil {
		return secret.Text{}, fmt.Errorf("make gateway token: %w", err)
	}
	version := w.keyring.Current()
	digest := w.keyring.Digest(version, credential)
	gateway.PublicIdentifier, gateway.Digest, gateway.DigestVersion = credential.PublicID(), digest[:], version
	return credential.Whole(), nil
}

func (w *work) lockGateway(ctx context.Context, id lifecycle.GatewayID, expected *int) (lifecycle.Gateway, error) {
	return lockFresh(ctx, w, id, expected, func(g lifecycle.Gateway) int { return g.Version }, "gateway")
}

func (w *work) happenedTo(gateway lifecycle.Gateway, t lifecycle.EventType, what string, changes []lifecycle.Change) {
	w.record(lifecycle.Event{
		Type: t, SubjectID: string(gateway.ID), EnvironmentID: &gateway.EnvironmentID,
		Summary: fmt.Sprintf("Gateway %q %s", gateway.Name, what), Changes: changes,
	})
}

func checkGateway(name string, dialect lifecycle.GatewayDialect) error {
	if err := lifecycle.CheckName(name, "input", "name"); err != nil {
		return err
	}
	if !dialect.IsValid() {
		return lifecycle.Invalid("is no dialect of gateways", "input", "dialect")
	}
	return nil
}

func gatewayChanges(before, after lifecycle.Gateway) []lifecycle.Change {
	changes := lifecycle.Changed(nil, "name", before.Name, after.Name)
	changes = lifecycle.Changed(changes, "environment", string(before.EnvironmentID), string(after.EnvironmentID))
	changes = lifecycle.Changed(changes, "dialect", string(before.Dialect), string(after.Dialect))
	changes = lifecycle.Changed(changes, "isReasonShown", strconv.FormatBool(before.IsReasonShown), strconv.FormatBool(after.IsReasonShown))
	return lifecycle.Changed(changes, "publicIdentifier", before.PublicIdentifier, after.PublicIdentifier)
}

package validate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/secret"
)

// gatewayCount is of how many gateways the facts are kept in this process.
const gatewayCount = 10_000

// ErrUnknownGateway says that nobody has the token.
var ErrUnknownGateway = errors.New("no gateway has this token")

// Gateway finds who asks by a gateway's token, as fresh as the facts of keys are, so a token that was replaced or
// withdrawn ends within the second. The facts are shared: they are not to be changed. The error is
// [ErrUnknownGateway] or [ErrUndecided].
func (s *Service) Gateway(ctx context.Context, token secret.Text) (*lifecycle.GatewayFacts, error) {
	credential, err := secret.Parse(token.Reveal())
	if err != nil {
		return nil, ErrUnknownGateway
	}
	facts, _, err := find(ctx, s.gateways, lifecycle.GatewayTenant, credential)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUndecided, err)
	case facts == nil:
		return nil, ErrUnknownGateway
	}
	return facts, nil
}

// gateways are few, so their facts are shared as they are.
type gateways struct{ *Service }

func (g gateways) read(ctx context.Context, _ lifecycle.TenantID, digest []byte) (*lifecycle.GatewayFacts, int64, error) {
	facts, version, err := g.Store.GatewayFacts(ctx, digest)
	return &facts, version, err //nolint:wrapcheck // the finder says what failed
}

func (gateways) pack(_ context.Context, _ lifecycle.TenantID, f *lifecycle.GatewayFacts, _ guard) []byte {
	entry, err := json.Marshal(f)
	if err != nil {
		return nil
	}
	return entry
}

func (gateways) unpack(_ context.Context, _ lifecycle.TenantID, entry []byte, _ int64) (*lifecycle.GatewayFacts, error) {
	var f lifecycle.GatewayFacts
	if err := json.Unmarshal(entry, &f); err != nil {
		return nil, fmt.Errorf("read the shared facts of a gateway: %w", err)
	}
	return &f, nil
}

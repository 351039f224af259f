package lifecycle

import (
	"fmt"
	"time"
)

// Gateway is a runtime that admits or rejects calls. It asks with its token, which fixes tenant and environment.
// Of the token only the digest is kept; there is one at a time.
type Gateway struct {
	ID               GatewayID `bun:",pk"`
	TenantID         TenantID
	EnvironmentID    EnvironmentID
	Name             string
	Dialect          GatewayDialect
	IsReasonShown    bool   // whether it is told why a call is refused
	PublicIdentifier string // of the token
	Digest           []byte // of the token
	DigestVersion    int
	Version          int
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// GatewayTenant stands where facts of gateways are cached: a token is presented before its tenant is known. It is no
// id, so no tenant can have it.
const GatewayTenant = "gateways"

// GatewayFacts is all that is known of who asks by the token presented. They may be cached.
type GatewayFacts struct {
	GatewayID                GatewayID      `json:"g"`
	TenantID                 TenantID       `json:"t"`
	TenantStatus             TenantStatus   `json:"ts"`
	EnvironmentID            EnvironmentID  `json:"e"`
	EnvironmentSlug          string         `json:"es"`
	Dialect                  GatewayDialect `json:"d"`
	IsReasonShown            bool           `json:"r,omitempty"`
	IsQueryCredentialAllowed bool           `json:"q,omitempty"`
	VerdictMaxAgeSeconds     int            `json:"m,omitempty"` // 0: verdicts are not to be repeated
}

// MaxVerdictMaxAgeSeconds is for how long an environment may let its gateways repeat a verdict, at most.
const MaxVerdictMaxAgeSeconds = 300

// CheckVerdictMaxAge refuses a time for which verdicts may be repeated that is out of range; null is none.
func CheckVerdictMaxAge(seconds *int, path ...string) error {
	if seconds == nil || *seconds >= 1 && *seconds <= MaxVerdictMaxAgeSeconds {
		return nil
	}
	return Invalid(fmt.Sprintf("must be from 1 to %d; leave it out for none", MaxVerdictMaxAgeSeconds), path...)
}

package lifecycle

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// KeySet is the stable identity whose secret changes over time: the credentials of one
// application in one environment, for one authentication type, under one policy.
type KeySet struct {
	ID                 KeySetID `bun:",pk"`
	TenantID           TenantID
	ApplicationID      ApplicationID
	EnvironmentID      EnvironmentID
	PolicyID           PolicyID
	NextPolicyID       *PolicyID // that the next key takes the key set to (D22)
	AuthenticationType AuthenticationType
	Name               string
	IsDefault          bool
	Status             KeySetStatus // as recorded; StatusAt tells the truth of an instant
	SuspensionCause    *SuspensionCause
	Labels             []Label      `bun:"type:jsonb"`
	OAuthClient        *OAuthClient `bun:"oauth_client,type:jsonb"`
	PublicIdentifier   string       // of the latest key
	ActivatedAt        *time.Time   // of the first key that could be used
	SuspendedAt        *time.Time
	RevokedAt          *time.Time
	ExpiresAt          *time.Time // of the latest key; null is never (D10)
	RotatesAt          *time.Time // of the latest key
	ScheduleStartAt    *time.Time // from when its rotations count: creation, activation, regeneration or renewal
	NoticeAt           *time.Time // when the next rotation or expiration is announced next; null: it is not
	LastUsedAt         *time.Time
	Version            int
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// OAuthClient holds the settings of an OAUTH2_CLIENT key set (S4-19 … S4-21).
type OAuthClient struct {
	ClientType   OAuthClientType `json:"clientType"`
	RedirectURIs []string        `json:"redirectUris"`
	Scopes       []string        `json:"scopes"`
}

// Key is one generation in a key set: one secret. The newest is LATEST (S0-30).
type Key struct {
	ID               KeyID `bun:",pk"`
	TenantID         TenantID
	KeySetID         KeySetID
	SequenceNumber   int // from 1 within the key set
	Status           KeyStatus
	IsLatest         bool
	PublicIdentifier string // may stand in logs and mails
	Hint             string // last characters, to recognize the secret by
	Digest           []byte `json:"-"` // keyed hash of the whole credential (T14)
	DigestVersion    int    `json:"-"` // version of the server secret it was made with
	IsRecoverable    bool   // whether a sealed copy is kept (D13)
	ActivatedAt      *time.Time
	ExpiresAt        *time.Time
	RetiresAt        *time.Time // end of the overlap of a RETIRING key
	RevokedAt        *time.Time
	RevocationReason *RevocationReason
	LastUsedAt       *time.Time  // of an accepted use, like the next (T7)
	LastUsedFrom     *netip.Addr // null when it is not known
	ClaimantID       *UserID     // who may claim the secret of a key that is not recoverable, because nobody was present to see it (D20); null: whoever may retrieve credentials
	ClaimableUntil   *time.Time  // until when; null: nothing waits, or the key cannot be used yet
	CreatedAt        time.Time
}

// ClaimableBy makes the secret of a key wait for somebody, for as long as the policy says (D20). A secret that can be
// retrieved anyway waits for nobody.
func (k Key) ClaimableBy(user UserID, policy Policy, m Moment) Key {
	if k = k.ClaimableByAnyone(policy, m); !k.IsRecoverable {
		k.ClaimantID = &user
	}
	return k
}

// ClaimableByAnyone makes the secret of a key wait for whoever may retrieve credentials, because nobody asked for the key.
func (k Key) ClaimableByAnyone(policy Policy, m Moment) Key {
	if !k.IsRecoverable {
		end := policy.ClaimWindow.AddTo(m.Now, m.Zone)
		k.ClaimableUntil = &end
	}
	return k
}

// CanBeClaimed reports whether a secret waits for the user at an instant.
func (k Key) CanBeClaimed(user UserID, now time.Time) bool {
	return k.ClaimableUntil != nil && now.Before(*k.ClaimableUntil) && (k.ClaimantID == nil || *k.ClaimantID == user)
}

// StatusAt is the status at an instant: what lies past its expiry is EXPIRED even when nobody
// has recorded it yet (T13).
func (s KeySet) StatusAt(now time.Time) KeySetStatus {
	if (s.Status == KeySetActive || s.Status == KeySetSuspended) && reached(s.ExpiresAt, now) {
		return KeySetExpired
	}
	return s.Status
}

// IsReusable reports whether a new subscription may be linked to the key set: it is neither
// expired nor revoked (S0-23, D2).
func (s KeySet) IsReusable(now time.Time) bool {
	status := s.StatusAt(now)
	return status != KeySetExpired && status != KeySetRevoked
}

// StatusAt is the status at an instant: past its expiry a key is EXPIRED, past its overlap a
// retiring one is REVOKED, however late every background job is (T13, D8).
func (k Key) StatusAt(now time.Time) KeyStatus {
	switch k.Status {
	case KeyRetiring:
		if reached(k.RetiresAt, now) {
			return KeyRevoked
		}
	case KeyActive, KeySuspended:
	case KeyPending, KeyRevoked, KeyExpired:
		return k.Status
	}
	if reached(k.ExpiresAt, now) {
		return KeyExpired
	}
	return k.Status
}

func reached(at *time.Time, now time.Time) bool { return at != nil && !now.Before(*at) }

// Milestone is a point of a key set's life, with a planned and an actual time.
type Milestone struct {
	ID        MilestoneID `bun:",pk"`
	TenantID  TenantID
	KeySetID  KeySetID
	KeyID     *KeyID
	Kind      MilestoneKind
	Status    MilestoneStatus // as recorded; StatusAt tells the truth of an instant
	PlannedAt *time.Time
	ActualAt  *time.Time
	EventID   *EventID
	CreatedAt time.Time
}

// Delay is how much later than planned the milestone happened; null when it has not, was not
// planned, or was in time (S0-34).
func (m Milestone) Delay() *Duration {
	if m.PlannedAt == nil || m.ActualAt == nil || !m.ActualAt.After(*m.PlannedAt) {
		return nil
	}
	d := Elapsed(m.ActualAt.Sub(*m.PlannedAt))
	return &d
}

// punctual is how much later than planned a milestone may happen that is not late: what a healthy server needs.
const punctual = 5 * time.Second

// StatusAt tells a late milestone from a punctual one, and an overdue one from one to come.
func (m Milestone) StatusAt(now time.Time) MilestoneStatus {
	switch {
	case m.Status == MilestoneDone && m.Delay() != nil && m.ActualAt.Sub(*m.PlannedAt) > punctual:
		return MilestoneDoneLate
	case m.Status == MilestonePlanned && reached(m.PlannedAt, now):
		return MilestoneOverdue
	}
	return m.Status
}

// DefaultKeySetName makes the name of a key set from the authentication type and the name of
// the application (S0-16). Names are unique within an application (S4-13); n > 1 tells the
// later ones apart. The result has at most MaxNameLength characters.
func DefaultKeySetName(t AuthenticationType, application string, n int) string {
	kind := map[AuthenticationType]string{
		AuthenticationAPIKey:       "API key",
		AuthenticationBasic:        "Basic",
		AuthenticationOAuth2Client: "OAuth client",
	}[t]
	suffix := ""
	if n > 1 {
		suffix = fmt.Sprintf(" (%d)", n)
	}
	name := []rune(kind + " – " + application)
	if room := MaxNameLength - len(suffix); len(name) > room {
		name = name[:room]
	}
	return strings.TrimSpace(string(name)) + suffix
}

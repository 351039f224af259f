package lifecycle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Ids are TypeIDs: a prefix that names the kind, an underscore, and 26 characters of a
// UUIDv7 in Crockford's base 32. They sort by time of creation and are opaque to clients.
type (
	TenantID          string
	OrganizationID    string
	GroupID           string
	UserID            string
	RoleID            string
	RoleAssignmentID  string
	SignInKeyID       string
	EnvironmentID     string
	GatewayID         string
	PolicyTemplateID  string
	PolicyID          string
	APIID             string
	ApplicationID     string
	APISubscriptionID string
	KeySetID          string
	KeyID             string
	MilestoneID       string
	EventID           string
	BulkOperationID   string
	ApprovalRequestID string
	NotificationID    string
)

// Kind is what an id is the id of.
type Kind string

// Kinds, and the prefixes of their ids.
const (
	KindTenant          Kind = "ten"
	KindOrganization    Kind = "org"
	KindGroup           Kind = "grp"
	KindUser            Kind = "usr"
	KindRole            Kind = "rol"
	KindRoleAssignment  Kind = "ras"
	KindSignInKey       Kind = "sik"
	KindEnvironment     Kind = "env"
	KindGateway         Kind = "gw"
	KindPolicyTemplate  Kind = "plt"
	KindPolicy          Kind = "pol"
	KindAPI             Kind = "api"
	KindApplication     Kind = "app"
	KindAPISubscription Kind = "sub"
	KindKeySet          Kind = "ks"
	KindKey             Kind = "key"
	KindMilestone       Kind = "mls"
	KindEvent           Kind = "evt"
	KindBulkOperation   Kind = "blk"
	KindApprovalRequest Kind = "apr"
	KindNotification    Kind = "ntf"
)

// AllKind lists the kinds.
func AllKind() []Kind {
	return []Kind{
		KindTenant, KindOrganization, KindGroup, KindUser, KindRole, KindRoleAssignment, KindSignInKey,
		KindEnvironment, KindGateway, KindPolicyTemplate, KindPolicy, KindAPI, KindApplication, KindAPISubscription,
		KindKeySet, KindKey, KindMilestone, KindEvent, KindBulkOperation, KindApprovalRequest, KindNotification,
	}
}

const (
	crockford = "0123456789abcdefghjkmnpqrstvwxyz"
	idLength  = 26
)

var errMalformedID = errors.New("malformed id")

// IDs makes ids. Its clock and its source of randomness come from outside.
type IDs struct {
	Now  func() time.Time
	Rand io.Reader
}

// New returns a new id of the kind.
func (s IDs) New(kind Kind) string {
	var uuid [16]byte
	if _, err := io.ReadFull(s.Rand, uuid[6:]); err != nil {
		// Without randomness ids collide and secrets can be guessed: nothing may go on.
		panic(fmt.Sprintf("read randomness: %v", err))
	}
	ms := uint64(s.Now().UnixMilli()) //nolint:gosec // the clock stands after 1970
	binary.BigEndian.PutUint16(uuid[0:], uint16(ms>>32))
	binary.BigEndian.PutUint32(uuid[2:], uint32(ms))
	uuid[6] = uuid[6]&0x0f | 0x70
	uuid[8] = uuid[8]&0x3f | 0x80
	return string(kind) + "_" + base32(uuid)
}

// base32 writes 128 bits as 26 characters, the first of which carries three bits.
func base32(b [16]byte) string {
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	var out [idLength]byte
	for i := idLength - 1; i >= 0; i-- {
		out[i] = crockford[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(out[:])
}

// KindOf returns the kind of an id, or an error when it cannot be one of ours. It says
// nothing about whether such an object exists.
func KindOf(id string) (Kind, error) {
	prefix, rest, found := strings.Cut(id, "_")
	if !found || !isOneOf(Kind(prefix), AllKind()) || len(rest) != idLength || rest[0] > '7' {
		return "", errMalformedID
	}
	for i := range len(rest) {
		if strings.IndexByte(crockford, rest[i]) < 0 {
			return "", errMalformedID
		}
	}
	return Kind(prefix), nil
}

// FormatID is the inverse of ParseID.
func FormatID(kind Kind, uuid [16]byte) string { return string(kind) + "_" + base32(uuid) }

// ParseID takes an id apart into its kind and its 128 bits, or returns an error when it cannot be one of ours.
func ParseID(id string) (Kind, [16]byte, error) {
	kind, err := KindOf(id)
	if err != nil {
		return "", [16]byte{}, err
	}
	var hi, lo uint64
	for i := len(id) - idLength; i < len(id); i++ {
		hi = hi<<5 | lo>>59
		lo = lo<<5 | uint64(strings.IndexByte(crockford, id[i])) //nolint:gosec // KindOf found every character
	}
	var uuid [16]byte
	binary.BigEndian.PutUint64(uuid[:8], hi)
	binary.BigEndian.PutUint64(uuid[8:], lo)
	return kind, uuid, nil
}

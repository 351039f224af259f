package lifecycle

import (
	"strings"
)

// RefusalCode is the reason of a refusal, as clients see it.
type RefusalCode string

// Reasons of refusals.
const (
	CodeAlreadyExists           RefusalCode = "ALREADY_EXISTS"
	CodeBlockedByDependency     RefusalCode = "BLOCKED_BY_DEPENDENCY"
	CodeIdempotencyKeyReused    RefusalCode = "IDEMPOTENCY_KEY_REUSED"
	CodeInvalid                 RefusalCode = "INVALID"
	CodeInvalidStatusTransition RefusalCode = "INVALID_STATUS_TRANSITION"
	CodeNotFound                RefusalCode = "NOT_FOUND"
	CodePendingApproval         RefusalCode = "PENDING_APPROVAL"
	CodePermissionDenied        RefusalCode = "PERMISSION_DENIED"
	CodePolicyViolation         RefusalCode = "POLICY_VIOLATION"
	CodeQuotaExceeded           RefusalCode = "QUOTA_EXCEEDED"
	CodeRequired                RefusalCode = "REQUIRED"
	CodeStaleVersion            RefusalCode = "STALE_VERSION"
	CodeTooLong                 RefusalCode = "TOO_LONG"
)

// Refusal is an error that the caller can correct. It is safe to show, and names the argument
// at fault by its path from "input". The members below the path are set where a client needs
// more than the code.
type Refusal struct {
	Code    RefusalCode
	Message string
	Path    []string

	CurrentStatus  string         // INVALID_STATUS_TRANSITION
	AllowedActions []KeySetAction // INVALID_STATUS_TRANSITION
	CurrentVersion int            // STALE_VERSION
	ObjectID       string         // STALE_VERSION, ALREADY_EXISTS and PENDING_APPROVAL: the object as it is now
	BlockedBy      []string       // BLOCKED_BY_DEPENDENCY: ids of objects to change first
	Permission     Permission     // PERMISSION_DENIED
	PolicyID       PolicyID       // POLICY_VIOLATION
	Limit, Current int            // QUOTA_EXCEEDED
}

// Error implements error.
func (r *Refusal) Error() string {
	if len(r.Path) == 0 {
		return r.Message
	}
	return strings.Join(r.Path, ".") + ": " + r.Message
}

// At returns the refusal with its path replaced.
func (r *Refusal) At(path ...string) *Refusal {
	moved := *r
	moved.Path = path
	return &moved
}

// Invalid refuses a malformed or impossible value.
func Invalid(message string, path ...string) *Refusal {
	return &Refusal{Code: CodeInvalid, Message: message, Path: path}
}

// Required refuses a missing value.
func Required(message string, path ...string) *Refusal {
	return &Refusal{Code: CodeRequired, Message: message, Path: path}
}

// NotFound refuses an id. Ids that do not exist, that belong to another tenant and that are of
// another kind all give the same words, so that nothing is revealed (P6).
func NotFound(noun string, path ...string) *Refusal {
	return &Refusal{Code: CodeNotFound, Message: "there is no such " + noun, Path: path}
}

// Stale refuses a change of an object that changed since it was read.
func Stale(objectID string, currentVersion int) *Refusal {
	return &Refusal{
		Code: CodeStaleVersion, Message: "the object changed since it was read: reload it and try again",
		Path: []string{"input", "expectedVersion"}, ObjectID: objectID, CurrentVersion: currentVersion,
	}
}

// Blocked refuses because other objects depend on the target.
func Blocked(message string, by ...string) *Refusal {
	return &Refusal{Code: CodeBlockedByDependency, Message: message, Path: []string{"input", "id"}, BlockedBy: by}
}

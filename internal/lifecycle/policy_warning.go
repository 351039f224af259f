package lifecycle

import (
	"fmt"
	"slices"
	"strconv"
)

// PolicyWarningCode is what is doubtful about the rules of a policy.
type PolicyWarningCode string

// Values of PolicyWarningCode.
const (
	WarningClaimWindowBeyondOverlap PolicyWarningCode = "CLAIM_WINDOW_BEYOND_OVERLAP" // Who claims a rotated secret late has been without a key.
	WarningRotationWithoutOverlap   PolicyWarningCode = "ROTATION_WITHOUT_OVERLAP"    // A scheduled rotation ends the key before anybody has the next one.
	WarningTooFewApprovers          PolicyWarningCode = "TOO_FEW_APPROVERS"           // An action needs more approvals than there are people to give them.
)

// AllPolicyWarningCode lists the values of PolicyWarningCode.
func AllPolicyWarningCode() []PolicyWarningCode {
	return []PolicyWarningCode{WarningClaimWindowBeyondOverlap, WarningRotationWithoutOverlap, WarningTooFewApprovers}
}

// IsValid reports whether the value is one of the set.
func (e PolicyWarningCode) IsValid() bool { return isOneOf(e, AllPolicyWarningCode()) }

// PolicyWarning says what rules that are allowed will probably do that nobody wants. Path names the member of the
// template.
type PolicyWarning struct {
	Code    PolicyWarningCode
	Message string
	Path    []string
}

// Approver is somebody who may decide on approval requests now, and the groups that they are in.
type Approver struct {
	UserID UserID
	Groups []GroupID
}

// WarningsAmong says what is doubtful about rules that Check accepts, given all who may decide on requests. That can
// change without the rules: people come and go.
func (r Rules) WarningsAmong(approvers []Approver) []PolicyWarning {
	warnings := []PolicyWarning{}
	if r.Rotation.Mode == RotationAutomatic {
		switch overlap := r.Rotation.Overlap; {
		case overlap.IsZero():
			warnings = append(warnings, PolicyWarning{
				Code: WarningRotationWithoutOverlap, Path: []string{"rotation", "overlap"},
				Message: "a scheduled rotation ends the previous key at once: every consumer is without a key until they have fetched the new one",
			})
		case r.SecretStorage == StorageHashed && r.ClaimWindow.canOutlast(overlap):
			warnings = append(warnings, PolicyWarning{
				Code: WarningClaimWindowBeyondOverlap, Path: []string{"claimWindow"},
				Message: fmt.Sprintf("a new secret can be claimed for %s, but the previous key ends %s after a scheduled rotation: "+
					"who claims later than that has been without a key", r.ClaimWindow, overlap),
			})
		}
	}
	for i, rule := range r.Approvals {
		if short := rule.CheckApprovers(approvers); short != nil {
			warnings = append(warnings, PolicyWarning{
				Code: WarningTooFewApprovers, Path: slices.Concat([]string{"approvals", strconv.Itoa(i)}, short.Path), Message: short.Message,
			})
		}
	}
	return warnings
}

// CheckApprovers refuses a rule that the people who may decide could never fulfil. The path begins at the rule.
func (r ApprovalRule) CheckApprovers(approvers []Approver) *Refusal {
	among, at := "people", "action"
	if r.ApproverGroupID != nil {
		among, at = "members of the group", "approverGroupId"
	}
	possible := 0
	for _, a := range approvers {
		if r.ApproverGroupID == nil || slices.Contains(a.Groups, *r.ApproverGroupID) {
			possible++
		}
	}
	switch {
	case possible == 0:
		return Invalid(fmt.Sprintf("none of the %s may decide: at least one must be active, hold APPROVAL_DECIDE and be able to sign in", among), at)
	case r.Mode == ApprovalByAnyone && possible < r.RequiredApprovals:
		return Invalid(fmt.Sprintf("%d approvals are needed, but %d of the %s may decide: they must be active, hold APPROVAL_DECIDE and be able to sign in",
			r.RequiredApprovals, possible, among), "requiredApprovals")
	}
	return nil
}

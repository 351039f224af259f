package live

import "github.com/keywright/keywright/internal/lifecycle"

// touch says how far an event reaches into the facts that verdicts are made of.
type touch uint8

const (
	touchesNothing touch = iota
	touchesBelow         // the keys of its key set, else of its application
	touchesTenant        // every key of its tenant
)

// touches decides what is outdated by an event. Two rules beyond the obvious: whatever is deleted touches the
// whole tenant, because the rows that led from it to its keys are gone when the event is read; and so does whatever
// may touch keys of several applications. A tenant too many costs reads of the database, a key too few lets a
// refused one pass.
var touches = map[lifecycle.EventType]touch{
	lifecycle.EventAPICreated:                 touchesNothing,
	lifecycle.EventAPIDeleted:                 touchesTenant,
	lifecycle.EventAPIDeprecated:              touchesTenant,
	lifecycle.EventAPIPublished:               touchesTenant,
	lifecycle.EventAPIRetired:                 touchesTenant,
	lifecycle.EventAPISubscriptionActivated:   touchesBelow,
	lifecycle.EventAPISubscriptionCanceled:    touchesBelow,
	lifecycle.EventAPISubscriptionCreated:     touchesBelow,
	lifecycle.EventAPISubscriptionReactivated: touchesBelow,
	lifecycle.EventAPISubscriptionRejected:    touchesBelow,
	lifecycle.EventAPISubscriptionSuspended:   touchesBelow,
	lifecycle.EventAPIUpdated:                 touchesTenant,
	lifecycle.EventApplicationCreated:         touchesNothing,
	lifecycle.EventApplicationDeleted:         touchesTenant,
	lifecycle.EventApplicationReactivated:     touchesBelow,
	lifecycle.EventApplicationSuspended:       touchesBelow,
	lifecycle.EventApplicationUpdated:         touchesBelow,
	lifecycle.EventApprovalApproved:           touchesNothing, // what it lets happen has events of its own
	lifecycle.EventApprovalDecided:            touchesNothing,
	lifecycle.EventApprovalExpired:            touchesNothing,
	lifecycle.EventApprovalFailed:             touchesNothing,
	lifecycle.EventApprovalRejected:           touchesNothing,
	lifecycle.EventApprovalReminded:           touchesNothing,
	lifecycle.EventApprovalRequested:          touchesNothing,
	lifecycle.EventApprovalWithdrawn:          touchesNothing,
	lifecycle.EventChangedOutside:             touchesTenant, // nobody knows what else was changed, or what it was before
	lifecycle.EventCredentialsRetrievalDenied: touchesNothing,
	lifecycle.EventCredentialsRetrieved:       touchesNothing,
	lifecycle.EventDefaultKeySetSet:           touchesNothing,
	lifecycle.EventEnvironmentCreated:         touchesNothing,
	lifecycle.EventEnvironmentDeleted:         touchesTenant,
	lifecycle.EventEnvironmentUpdated:         touchesTenant,  // its slug is a fact
	lifecycle.EventGatewayDeregistered:        touchesNothing, // but see touchesGateways
	lifecycle.EventGatewayRegistered:          touchesNothing,
	lifecycle.EventGatewayTokenReplaced:       touchesNothing,
	lifecycle.EventGatewayUpdated:             touchesNothing,
	lifecycle.EventGroupCreated:               touchesNothing,
	lifecycle.EventGroupDeleted:               touchesNothing,
	lifecycle.EventGroupUpdated:               touchesNothing,
	lifecycle.EventKeyRetired:                 touchesBelow,
	lifecycle.EventKeyRevoked:                 touchesBelow,
	lifecycle.EventKeySetActivated:            touchesBelow,
	lifecycle.EventKeySetCreated:              touchesBelow, // that its key was unknown may be remembered
	lifecycle.EventKeySetDeleted:              touchesTenant,
	lifecycle.EventKeySetExpired:              touchesBelow,
	lifecycle.EventKeySetExpiring:             touchesNothing,
	lifecycle.EventKeySetPolicyChanged:        touchesBelow, // its limits and its end are facts
	lifecycle.EventKeySetReactivated:          touchesBelow,
	lifecycle.EventKeySetRegenerated:          touchesBelow,
	lifecycle.EventKeySetRenewed:              touchesBelow,
	lifecycle.EventKeySetReused:               touchesBelow,
	lifecycle.EventKeySetRevoked:              touchesBelow,
	lifecycle.EventKeySetRotated:              touchesBelow,
	lifecycle.EventKeySetRotationComing:       touchesNothing,
	lifecycle.EventKeySetSuspended:            touchesBelow,
	lifecycle.EventKeySetUpdated:              touchesBelow, // its scopes are facts
	lifecycle.EventNotificationRetried:        touchesNothing,
	lifecycle.EventOrganizationCreated:        touchesNothing,
	lifecycle.EventOrganizationDeleted:        touchesTenant,
	lifecycle.EventOrganizationUpdated:        touchesNothing,
	lifecycle.EventPolicyTemplateArchived:     touchesNothing, // key sets hold frozen policies (D22)
	lifecycle.EventPolicyTemplateCreated:      touchesNothing,
	lifecycle.EventPolicyTemplateDeleted:      touchesNothing,
	lifecycle.EventPolicyTemplateUpdated:      touchesNothing,
	lifecycle.EventRoleAssigned:               touchesNothing,
	lifecycle.EventRoleCreated:                touchesNothing,
	lifecycle.EventRoleDeleted:                touchesNothing,
	lifecycle.EventRoleUnassigned:             touchesNothing,
	lifecycle.EventRoleUpdated:                touchesNothing,
	lifecycle.EventSignInKeyIssued:            touchesNothing,
	lifecycle.EventSignInKeysRevoked:          touchesNothing,
	lifecycle.EventTenantCreated:              touchesNothing,
	lifecycle.EventTenantReactivated:          touchesTenant,
	lifecycle.EventTenantSettingsUpdated:      touchesTenant,
	lifecycle.EventTenantSuspended:            touchesTenant,
	lifecycle.EventTenantUpdated:              touchesTenant,
	lifecycle.EventUserCreated:                touchesNothing,
	lifecycle.EventUserDeactivated:            touchesNothing,
	lifecycle.EventUserDeleted:                touchesNothing,
	lifecycle.EventUserReactivated:            touchesNothing,
	lifecycle.EventUserUpdated:                touchesNothing,
}

// touchesGateways says whether the facts of some gateway are outdated by an event: the gateway itself, its environment
// or its tenant's status. All gateways share one place, because a token is presented before its tenant is known, and it
// is outdated as a whole: such events are rare, and a token that was replaced is not found any more when its event is
// read. What is not known touches them.
func touchesGateways(t lifecycle.EventType) bool {
	//exhaustive:ignore
	switch t {
	case lifecycle.EventGatewayDeregistered, lifecycle.EventGatewayTokenReplaced, lifecycle.EventGatewayUpdated,
		lifecycle.EventEnvironmentDeleted, lifecycle.EventEnvironmentUpdated,
		lifecycle.EventTenantReactivated, lifecycle.EventTenantSuspended, lifecycle.EventChangedOutside:
		return true
	}
	_, known := touches[t]
	return !known
}

// deletesKeys says whether the keys of an earlier event may not be found any more after this one.
func deletesKeys(t lifecycle.EventType) bool {
	return t == lifecycle.EventApplicationDeleted || t == lifecycle.EventKeySetDeleted
}

// touchOf treats what it does not know, and an event that names nothing to look below, as touching the tenant.
func touchOf(e lifecycle.Event) touch {
	t, known := touches[e.Type]
	if !known || t == touchesBelow && e.KeySetID == nil && e.ApplicationID == nil {
		return touchesTenant
	}
	return t
}

func isKnown(t lifecycle.EventType) bool {
	_, known := touches[t]
	return known
}

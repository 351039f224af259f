package mail

import (
	"time"

	"github.com/keywright/keywright/internal/lifecycle"
)

// Sample is made-up content for a kind of notification: of one item, or of so many that not all are listed.
func Sample(kind lifecycle.NotificationKind, isMany bool) lifecycle.NotificationContent {
	content := lifecycle.NotificationContent{Tenant: "Example Ltd.", Zone: "Europe/Berlin"}
	names := []string{"Shop", "Warehouse <stock & orders>", "Billing"}
	if !isMany {
		names = names[:1]
	} else {
		content.More = 197
	}
	for i, name := range names {
		content.Items = append(content.Items, sampleItem(kind, name, i))
	}
	return content
}

func sampleItem(kind lifecycle.NotificationKind, application string, i int) lifecycle.NotificationItem {
	at := time.Date(2026, time.March, 29, 0, 30+i, 0, 0, time.UTC)
	later, soon := at.AddDate(0, 3, 0), at.AddDate(0, 0, 7)
	item := lifecycle.NotificationItem{
		SubjectID: "ks_01kx5zvyq4f3h8e8q2rkz0j0aa", KeySet: "API key – " + application, PublicIdentifier: "kw_3fGh7KpQ2x",
		Application: application, Environment: "Production",
	}
	//exhaustive:ignore
	switch kind {
	case lifecycle.NotifyApprovalRequested, lifecycle.NotifyApprovalReminded:
		item.SubjectID, item.Action, item.Requester = "apr_01kx5zvyq4f3h8e8q2rkz0j0ab", lifecycle.ApprovalToRenew, "Ada Lovelace"
		item.Comment, item.DecidableUntil = "The key ends while I am on holiday.", &soon
	case lifecycle.NotifyApprovalApproved:
		item.Action, item.Decider, item.Comment, item.ExpiresAt = lifecycle.ApprovalToRenew, "Grace Hopper", "Fine.", &later
		item.HasNewKey, item.ClaimableUntil = true, &soon
	case lifecycle.NotifyApprovalRejected:
		item.Action, item.Decider, item.Comment = lifecycle.ApprovalToRenew, "Grace Hopper", "Please use the new API."
	case lifecycle.NotifyApprovalExpired:
		item.Action = lifecycle.ApprovalToRenew
	case lifecycle.NotifyApprovalFailed:
		item.Action, item.Decider, item.Reason = lifecycle.ApprovalToRenew, "Grace Hopper", "a key set that is REVOKED cannot be renewed"
	case lifecycle.NotifyCredentialsWaiting:
		item.ExpiresAt, item.ClaimableUntil = &later, &soon
	case lifecycle.NotifyDeploymentFailed:
		item.Gateways, item.Reason = []string{"Gateway Frankfurt", "Gateway Dublin"}, "connection refused"
	case lifecycle.NotifyKeySetRevoked:
		item.Reason, item.Comment = string(lifecycle.ReasonCompromised), "It stood in a public repository."
	case lifecycle.NotifyKeySetRotationComing:
		item.RotatesAt = &at
	default:
		item.ExpiresAt = &at
	}
	return item
}

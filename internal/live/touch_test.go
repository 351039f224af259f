package live

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/lifecycle"
)

func TestR18_EveryEventSaysWhatItOutdates(t *testing.T) {
	for _, eventType := range lifecycle.AllEventType() {
		if _, known := touches[eventType]; !known {
			t.Errorf("%s is not in the table", eventType)
		}
		isStop := strings.HasSuffix(string(eventType), "_SUSPENDED") || strings.HasSuffix(string(eventType), "_REVOKED") && eventType != lifecycle.EventSignInKeysRevoked
		if isStop && touches[eventType] == touchesNothing {
			t.Errorf("%s stops keys and outdates nothing", eventType)
		}
	}
	if got := touchOf(lifecycle.Event{Type: "SOMETHING_NEW"}); got != touchesTenant {
		t.Errorf("an unknown event outdates %d", got)
	}
	for eventType, want := range map[lifecycle.EventType]bool{
		lifecycle.EventGatewayTokenReplaced: true, lifecycle.EventGatewayDeregistered: true, lifecycle.EventGatewayUpdated: true,
		lifecycle.EventEnvironmentUpdated: true, lifecycle.EventTenantSuspended: true, lifecycle.EventTenantReactivated: true,
		lifecycle.EventGatewayRegistered: false, lifecycle.EventKeySetRevoked: false, "SOMETHING_NEW": true,
	} {
		if touchesGateways(eventType) != want {
			t.Errorf("%s touches gateways: %v", eventType, !want)
		}
	}
	if got := touchOf(lifecycle.Event{Type: lifecycle.EventKeySetRevoked}); got != touchesTenant {
		t.Errorf("an event below nothing outdates %d", got)
	}
}

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/app"
	"github.com/keywright/keywright/internal/apptest"
)

// posting makes a server look for jobs all the time.
func posting(o apptest.Options) apptest.Options {
	o.Change = func(c *app.Config) {
		c.Mail.Poll, c.Mail.Delay = 20*time.Millisecond, func(int) time.Duration { return 50 * time.Millisecond }
	}
	return o
}

// notified reads the notifications that match a filter, the oldest first.
func (s *scene) notified(t *testing.T, filter vars) []object {
	t.Helper()
	read := s.Do(t, `query($f: NotificationFilter) { notifications(first: 100, filter: $f, orderBy: [{field: CREATED_AT}]) { nodes {
		id kind status subject emailAddress messageId attempts lastError sentAt eventIds version recipient { id } } } }`, vars{"f": filter})
	all := []object{}
	for _, one := range read.List(t, "notifications", "nodes") {
		all = append(all, one.(map[string]any))
	}
	return all
}

// awaitNotified waits until as many notifications of a kind have a status.
func (s *scene) awaitNotified(t *testing.T, kind, status string, count int) []object {
	t.Helper()
	var all []object
	eventually(t, kind+" was "+status, 30*time.Second, func() bool {
		all = s.notified(t, vars{"kind": vars{"eq": kind}, "status": vars{"eq": status}})
		return len(all) >= count
	})
	if len(all) != count {
		t.Errorf("%d notifications %s are %s, want %d: %v", len(all), kind, status, count, all)
	}
	return all
}

// file reads the mail that was written for a notification.
func (s *scene) file(t *testing.T, id string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.server.Config.Data, "mail", id+".eml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestS3_5_S2_19_ApproversAreAskedAndTheRequesterIsToldOfTheNewValidity(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		g := newGuarded(t, posting(o))
		set := g.guardedSet(t)
		request := g.developer.change(t, "renewKeySet", "approvalRequest { id }", vars{"id": set, "comment": "Soon over"}).Text(t, "approvalRequest", "id")
		asked := g.awaitNotified(t, "APPROVAL_REQUESTED", "SENT", 1)[0]
		if mail := g.file(t, asked.Text(t, "id")); !strings.Contains(mail, "Soon over") || !strings.Contains(mail, request) || !strings.Contains(mail, "Message-ID: <"+asked.Text(t, "messageId")+">") {
			t.Errorf("asked: %v\n%s", asked, mail)
		}
		g.approver.change(t, "approveRequest", "", vars{"id": request, "comment": "Fine"})
		approved := g.awaitNotified(t, "APPROVAL_APPROVED", "SENT", 1)[0]
		if mail := g.file(t, approved.Text(t, "id")); !strings.Contains(mail, "Valid until") || !strings.Contains(mail, "UTC (+00:00)") {
			t.Errorf("approved: %v\n%s", approved, mail)
		}
	})
}

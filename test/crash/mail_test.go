package crash

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
)

// A change that was acknowledged sends its mail, whether the process is killed before it was found out whom to tell, or
// before they were told (P4). With KEYWRIGHT_FAULTS it is killed while it is at it, too, which takes minutes to heal.
func TestP4_KillBetweenCommitAndMailLosesNoMail(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		nowhere := s
		nowhere.flags = append(append([]string{}, s.flags...), "--smtp-host", "127.0.0.1", "--smtp-port", "1", "--smtp-tls", "none")
		p := nowhere.start(t)
		w := apptest.NewWorld(p.Client)
		owner, _ := w.User(t, "Developer")
		organization := w.Organization(t)
		sets := make([]string, 3)
		for i := range sets {
			sets[i] = ownedSet(t, w, owner, organization)
		}
		revoke(t, p.Client, sets[0])
		waiting := awaitMail(t, p.Client, "QUEUED", 1)
		if waiting[0].Get("attempts") == 0.0 {
			t.Errorf("waiting: %v", waiting)
		}
		for s.number(t, "SELECT count(*) FROM river_job WHERE state = 'running'") > 0 && t.Context().Err() == nil {
			runtime.Gosched() // the library notes a little later that it has tried
		}
		revoke(t, p.Client, sets[1])
		p.Kill() // nobody knows of the second yet, and the first was told of to nobody
		if isLong := os.Getenv("KEYWRIGHT_FAULTS") != ""; isLong {
			p = nowhere.start(t) // which begins at once with what waits
			revoke(t, p.Client, sets[2])
			p.Kill()
		} else {
			sets = sets[:2]
		}
		p = s.start(t)
		sent := awaitMail(t, p.Client, "SENT", len(sets))
		events := map[any]bool{}
		for _, one := range sent {
			events[one.Get("eventIds", 0)] = true
			mail, err := os.ReadFile(filepath.Join(s.data, "mail", one.Text(t, "id")+".eml"))
			if err != nil || !strings.Contains(string(mail), "Message-ID: <"+one.Text(t, "messageId")+">") {
				t.Errorf("%v: %v %s", one, err, mail)
			}
		}
		if len(sent) != len(sets) || len(events) != len(sets) || sent[0].Get("messageId") != waiting[0].Get("messageId") {
			t.Errorf("sent: %v", sent)
		}
	})
}

func ownedSet(t *testing.T, w *apptest.World, owner, organization string) string {
	t.Helper()
	return w.Do(t, `mutation($i: CreateApplicationInput!) { createApplication(input: $i) { application { defaultKeySet { id } } userErrors { code message path } } }`,
		vars{"i": vars{"name": w.Name("Application"), "organizationId": organization, "ownerId": owner}}).Text(t, "createApplication", "application", "defaultKeySet", "id")
}

func revoke(t *testing.T, c apptest.Client, set string) {
	t.Helper()
	c.Do(t, `mutation($id: ID!) { revokeKeySet(input: {id: $id, reason: COMPROMISED}) { keySet { status } userErrors { code message path } } }`, vars{"id": set})
}

// awaitMail waits until as many notifications have a status, and a mail that waits was tried. A job that was being worked
// when its process was killed is taken over within two minutes.
func awaitMail(t *testing.T, c apptest.Client, status string, count int) []apptest.Object {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		read := c.Do(t, `query($s: NotificationStatus) { notifications(first: 100, filter: {status: {eq: $s}}, orderBy: [{field: CREATED_AT}]) { nodes { id eventIds messageId attempts } } }`, vars{"s": status})
		var all []apptest.Object
		for _, one := range read.List(t, "notifications", "nodes") {
			if one := apptest.Object(one.(map[string]any)); status != "QUEUED" || one.Get("attempts") != 0.0 {
				all = append(all, one)
			}
		}
		if len(all) >= count {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("after two minutes %d mails are %s, want %d", len(all), status, count)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-t.Context().Done():
			return nil
		}
	}
}

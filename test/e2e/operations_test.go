package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/keywright/keywright/internal/apptest"
)

// operations are the documents that portals, dashboards and scripts send, by their names.
type operations struct {
	documents map[string]string
	sent      map[string]bool
}

var operationName = regexp.MustCompile(`(?m)^(?:query|mutation|subscription) (\w+)`)

func loadOperations(t *testing.T) *operations {
	t.Helper()
	files, err := filepath.Glob("testdata/operations/*.graphql")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no sample operations: %v", err)
	}
	o := &operations{documents: map[string]string{}, sent: map[string]bool{}}
	for _, file := range files {
		all, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		starts := operationName.FindAllSubmatchIndex(all, -1)
		for i, at := range starts {
			end := len(all)
			if i+1 < len(starts) {
				end = starts[i+1][0]
			}
			o.documents[string(all[at[2]:at[3]])] = string(all[at[0]:end])
		}
	}
	return o
}

// document is that of an operation, which counts as sent.
func (o *operations) document(t *testing.T, name string) string {
	t.Helper()
	document, found := o.documents[name]
	if !found {
		t.Fatalf("there is no operation %s", name)
	}
	o.sent[name] = true
	return document
}

// send sends an operation that must answer without errors of any kind, and returns its one field.
func (o *operations) send(t *testing.T, s *scene, name string, variables vars) object {
	t.Helper()
	for _, field := range s.Do(t, o.document(t, name), variables) {
		return object(field.(map[string]any))
	}
	t.Fatalf("%s answered nothing", name)
	return nil
}

func TestOPERATIONS_EachSampleOperationAnswersAsItsNamePromises(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, o)
		ops := loadOperations(t)
		env := s.change(t, "createEnvironment", "environment { id }", vars{"name": "Live", "slug": "live", "isProduction": true}).Text(t, "environment", "id")
		template := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P20D"}, "secretStorage": "ENCRYPTED"})
		api := s.world.API(t, s.org, []string{env}, map[string]string{"API_KEY": template})

		made := ops.send(t, s, "CreateApplication", vars{"input": vars{"name": "Shop", "organizationId": s.org}})
		app := made.Text(t, "application", "id")
		if made.Text(t, "credentials", "apiKey") == "" || made.Get("application", "defaultKeySet", "isDefault") != true || made.Get("application", "defaultKeySet", "latestKey", "isLatest") != true {
			t.Errorf("CreateApplication: %v", made)
		}
		feeds := map[string]stream{}
		for _, name := range []string{"Feed", "LiveKeySets"} {
			feed, err := transports["websocket"](t, s.Client, ops.document(t, name), vars{})
			if err != nil {
				t.Fatal(err)
			}
			until(t, feed, "CHECKPOINT")
			feeds[name] = feed
		}
		subscribe := vars{"input": vars{"applicationId": app, "apiId": api, "environmentId": env}, "retryKey": "5b0c5b8e-6f0e-4f0e-9d9e-0d8f6f7a5b11"}
		subscribed := ops.send(t, s, "Subscribe", subscribe)
		set, key := subscribed.Text(t, "keySetAssignments", 0, "keySet", "id"), subscribed.Text(t, "keySetAssignments", 0, "credentials", "apiKey")
		if again := ops.send(t, s, "Subscribe", subscribe); !equal(again, subscribed) || subscribed.Get("apiSubscription", "environment", "slug") != "live" || subscribed.Get("approvalRequest") != nil {
			t.Errorf("Subscribe: %v and, again, %v", subscribed, again)
		}
		if m := until(t, feeds["Feed"], "DATA"); m.Get("event", "type") != "API_SUBSCRIPTION_CREATED" || m.Get("event", "subject", "__typename") != "ApiSubscription" {
			t.Errorf("Feed: %v", m)
		}
		if m := until(t, feeds["LiveKeySets"], "DATA"); m["change"] != "ADDED" || m.Get("keySet", "id") != set {
			t.Errorf("LiveKeySets: %v", m)
		}

		list := ops.send(t, s, "KeySets", vars{"filter": vars{"application": vars{"id": vars{"eq": app}}}, "first": 1, "orderBy": []vars{{"field": "CREATED_AT", "direction": "DESC"}}})
		if list["totalCount"] != 2.0 || list.Get("nodes", 0, "id") != set || list.Get("pageInfo", "hasNextPage") != true || list.Get("nodes", 0, "authorizedApis", "nodes", 0, "id") != api || len(list.List(t, "nodes", 0, "viewerActions")) != 8 {
			t.Errorf("KeySets: %v", list)
		}
		next := ops.send(t, s, "KeySets", vars{"filter": vars{"application": vars{"id": vars{"eq": app}}}, "first": 1, "after": list.Get("pageInfo", "endCursor"), "orderBy": []vars{{"field": "CREATED_AT", "direction": "DESC"}}})
		if next.Get("nodes", 0, "isDefault") != true || next.Get("pageInfo", "hasNextPage") != false {
			t.Errorf("KeySets, the next page: %v", next)
		}
		if found := ops.send(t, s, "KeySets", vars{"search": "shop"}); found["totalCount"] != 2.0 {
			t.Errorf("KeySets, searched: %v", found)
		}
		validate := func(credential, want string) object {
			t.Helper()
			verdict := ops.send(t, s, "Validate", vars{"input": vars{"credential": credential, "apiId": api, "environmentSlug": "live"}})
			if verdict["code"] != want || verdict["isValid"] != (want == "VALID") {
				t.Errorf("Validate: %v, want %s", verdict, want)
			}
			return verdict
		}
		if verdict := validate(key, "VALID"); verdict.Get("application", "id") != app || verdict["expiresAt"] == nil {
			t.Errorf("Validate: %v", verdict)
		}
		if soon := ops.send(t, s, "ExpiringSoon", vars{}); soon["totalCount"] != 1.0 || soon.Get("nodes", 0, "id") != set || len(soon.List(t, "nodes", 0, "milestones")) != 2 {
			t.Errorf("ExpiringSoon: %v", soon)
		}
		if got := ops.send(t, s, "Suspend", vars{"input": vars{"id": set, "comment": "Night"}}); got.Get("keySet", "suspensionCause") != "MANUAL" {
			t.Errorf("Suspend: %v", got)
		}
		validate(key, "SUSPENDED")
		if got := ops.send(t, s, "Retrieve", vars{"input": vars{"id": list.Text(t, "nodes", 0, "latestKey", "id")}}); got.Get("credentials", "apiKey") != key {
			t.Errorf("Retrieve: %v", got)
		}
		if got := ops.send(t, s, "Reactivate", vars{"input": vars{"id": set}}); got.Get("keySet", "status") != "ACTIVE" {
			t.Errorf("Reactivate: %v", got)
		}
		fresh := ops.send(t, s, "Regenerate", vars{"input": vars{"id": set}})
		if fresh.Get("keySet", "latestKey", "sequenceNumber") != 2.0 || fresh.Get("approvalRequest") != nil {
			t.Errorf("Regenerate: %v", fresh)
		}
		validate(key, "REVOKED")
		validate(fresh.Text(t, "credentials", "apiKey"), "VALID")
		if got := ops.send(t, s, "Revoke", vars{"input": vars{"id": set, "reason": "NO_LONGER_NEEDED"}}); got.Get("keySet", "status") != "REVOKED" {
			t.Errorf("Revoke: %v", got)
		}
		one := ops.send(t, s, "KeySet", vars{"id": set})
		types := []string{}
		for _, e := range one.List(t, "events", "nodes") {
			types = append(types, object(e.(map[string]any)).Text(t, "type"))
		}
		if got := strings.Join(types, " "); got != "KEY_SET_CREATED KEY_SET_SUSPENDED CREDENTIALS_RETRIEVED KEY_SET_REACTIVATED KEY_SET_REGENERATED KEY_SET_REVOKED" || len(one.List(t, "keys", "nodes")) != 2 ||
			len(one.List(t, "apiSubscriptions", "nodes")) != 1 || one.Get("keys", "nodes", 0, "revocationReason") != "NO_LONGER_NEEDED" {
			t.Errorf("KeySet: %v", one)
		}

		other, _ := s.world.KeySet(t, app, env, template, nil)
		many := vars{"input": vars{"selection": vars{"ids": []string{set, other}}}}
		if got := object(ops.send(t, s, "RevokeMany", many)["bulkOperation"].(map[string]any)); got["succeededCount"] != 1.0 || got["totalCount"] != 2.0 || got["status"] != "COMPLETED" || got["id"] == nil {
			t.Errorf("RevokeMany: %v", got)
		}
		if got := object(ops.send(t, s, "DeleteMany", many)["bulkOperation"].(map[string]any)); got["succeededCount"] != 2.0 || got["failedCount"] != 0.0 || len(got.List(t, "items", "nodes")) != 2 {
			t.Errorf("DeleteMany: %v", got)
		}
		approvalsAsNamed(t, ops, s, app, env)
		for name := range ops.documents {
			if !ops.sent[name] {
				t.Errorf("the sample operation %s was not sent", name)
			}
		}
	})
}

// approvalsAsNamed renews one key set at once and two with approvals: one is approved, the other rejected.
func approvalsAsNamed(t *testing.T, ops *operations, s *scene, app, env string) {
	t.Helper()
	asked := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P30D"}, "approvals": []vars{{"action": "RENEW_KEY_SET", "timeout": "P3D"}}})
	first, _ := s.world.KeySet(t, app, env, asked, nil)
	second, _ := s.world.KeySet(t, app, env, asked, nil)
	free, _ := s.world.KeySet(t, app, env, s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P30D"}}), nil)
	_, approver := s.world.User(t, "API Provider")
	inbox, err := transports["websocket"](t, approver, ops.document(t, "LiveInbox"), vars{})
	if err != nil {
		t.Fatal(err)
	}
	until(t, inbox, "CHECKPOINT")

	if got := ops.send(t, s, "Renew", vars{"input": vars{"id": free}}); got.Get("approvalRequest") != nil || got.Get("keySet", "latestKey", "sequenceNumber") != 2.0 || got.Text(t, "credentials", "apiKey") == "" {
		t.Errorf("Renew: %v", got)
	}
	waits := ops.send(t, s, "Renew", vars{"input": vars{"id": first}})
	if waits.Get("approvalRequest", "requiredApprovals") != 1.0 || waits.Get("approvalRequest", "expiresAt") == nil || waits.Get("credentials") != nil || waits.Get("keySet", "latestKey", "sequenceNumber") != 1.0 {
		t.Errorf("Renew, which waits: %v", waits)
	}
	request := waits.Text(t, "approvalRequest", "id")
	if m := until(t, inbox, "DATA"); m.Get("approvalRequest", "id") != request || m.Get("approvalRequest", "status") != "PENDING" {
		t.Errorf("LiveInbox: %v", m)
	}
	doomed := ops.send(t, s, "Renew", vars{"input": vars{"id": second}}).Text(t, "approvalRequest", "id")
	until(t, inbox, "DATA")
	as := *s
	as.Client = approver
	if got := ops.send(t, &as, "Inbox", nil); len(got.List(t, "nodes")) != 2 || got.Get("nodes", 0, "id") != request || got.Get("nodes", 0, "requester", "displayName") == nil {
		t.Errorf("Inbox: %v", got)
	}
	approved := ops.send(t, &as, "Approve", vars{"input": vars{"id": request, "comment": "Go on"}})
	if approved.Get("approvalRequest", "status") != "APPROVED" || approved.Get("approvalRequest", "decisions", 0, "comment") != "Go on" {
		t.Errorf("Approve: %v", approved)
	}
	if m := until(t, inbox, "DATA"); m.Get("approvalRequest", "status") != "APPROVED" {
		t.Errorf("LiveInbox: %v", m)
	}
	if got := ops.send(t, s, "Retrieve", vars{"input": vars{"id": first}}); got.Text(t, "credentials", "apiKey") == "" {
		t.Errorf("Retrieve, after the approval: %v", got)
	}
	if got := ops.send(t, &as, "Reject", vars{"input": vars{"id": doomed}}); got.Get("approvalRequest", "status") != "REJECTED" {
		t.Errorf("Reject: %v", got)
	}
	if got := s.keySet(t, second); got.Get("latestKey", "sequenceNumber") != 1.0 {
		t.Errorf("S3-8: a rejected renewal made a key: %v", got)
	}
}

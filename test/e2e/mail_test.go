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

// owned makes an application of a new user with a key set that expires, and returns the user, its client and the key set.
func (s *scene) owned(t *testing.T, more vars) (owner string, client apptest.Client, app, set string) {
	t.Helper()
	owner, client = s.world.User(t, "Developer")
	input := vars{"name": s.world.Name("Application"), "organizationId": s.org, "ownerId": owner}
	for name, value := range more {
		input[name] = value
	}
	app = s.change(t, "createApplication", "application { id }", input).Text(t, "application", "id")
	set, _ = s.world.KeySet(t, app, s.env, s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P30D"}}), nil)
	return owner, client, app, set
}

func (s *scene) revoke(t *testing.T, set string) {
	t.Helper()
	s.change(t, "revokeKeySet", "", vars{"id": set, "reason": "COMPROMISED", "comment": "It stood in a public repository."})
}

// A mail server that is down, that asks for patience, that refuses, and that works again: nothing waits for it, nothing is
// lost, and nobody gets two different mails of one thing.
func TestR30_AMailServerOutOfOrderBlocksNothingAndLosesNothing(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		mails := apptest.StartMailServer(t, false)
		mails.Down()
		o.Change = func(c *app.Config) { c.Mail = mails.Mail() }
		s := newScene(t, o)
		_, _, _, first := s.owned(t, nil)
		_, _, _, second := s.owned(t, nil)
		s.revoke(t, first)
		s.revoke(t, second)
		waiting := s.awaitNotified(t, "KEY_SET_REVOKED", "QUEUED", 2)
		eventually(t, "both mails were tried again and again", 30*time.Second, func() bool {
			waiting = s.notified(t, vars{"status": vars{"eq": "QUEUED"}})
			return len(waiting) == 2 && waiting[0]["attempts"].(float64) > 2 && waiting[1]["attempts"].(float64) > 2
		})
		if reason := waiting[0].Text(t, "lastError"); !strings.Contains(reason, "reach the mail server") {
			t.Errorf("the reason is %q", reason)
		}
		mails.Answer(func(string) error { return apptest.Refusal(421) })
		mails.Up()
		eventually(t, "the mail server asked for patience", 30*time.Second, func() bool { return mails.Attempts() > 4 })
		if got := s.notified(t, vars{"status": vars{"eq": "QUEUED"}}); len(got) != 2 {
			t.Errorf("%d mails wait, want 2", len(got))
		}
		unlucky := waiting[0].Text(t, "emailAddress")
		mails.Answer(func(to string) error {
			if to == unlucky {
				return apptest.Refusal(550)
			}
			return nil
		})
		failed := s.awaitNotified(t, "KEY_SET_REVOKED", "FAILED", 1)[0]
		if reason := failed.Text(t, "lastError"); !strings.Contains(reason, "550") || strings.Contains(reason, unlucky) {
			t.Errorf("the reason is %q", reason)
		}
		sent := s.awaitNotified(t, "KEY_SET_REVOKED", "SENT", 1)[0]
		s.refused(t, "INVALID_STATUS_TRANSITION", "retryNotification", vars{"id": sent["id"]})
		mails.Answer(func(string) error { return nil })
		s.change(t, "retryNotification", "notification { status }", vars{"id": failed["id"], "expectedVersion": failed["version"]})
		all := s.awaitNotified(t, "KEY_SET_REVOKED", "SENT", 2)
		received := mails.Received()
		if len(received) != 2 {
			t.Errorf("%d mails arrived, want 2", len(received))
		}
		for _, one := range all {
			found := false
			for _, r := range received {
				letter := apptest.ReadLetter(t, r.Data)
				found = found || r.To == one["emailAddress"] && letter.Subject == one["subject"] && letter.Header.Get("Message-Id") == "<"+one.Text(t, "messageId")+">"
				if !strings.Contains(letter.Text, "COMPROMISED") || !strings.Contains(letter.HTML, "public repository") {
					t.Errorf("the mail says %q", letter.Text)
				}
			}
			if !found {
				t.Errorf("no mail is %v", one)
			}
		}
		retried := s.Do(t, `{ events(filter: {type: {eq: NOTIFICATION_RETRIED}}) { nodes { subject { ... on Notification { id } } } } }`, nil)
		if retried.Get("events", "nodes", 0, "subject", "id") != failed["id"] || len(retried.List(t, "events", "nodes")) != 1 {
			t.Errorf("retried: %v", retried)
		}
	})
}

// A bulk operation is one mail to each person, and one that is rolled back is none (P4).
func TestR30_P4_ABulkOperationIsOneMailAndARolledBackOneIsNone(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		const many = 200
		s := newScene(t, posting(o))
		owner, _, application, set := s.owned(t, nil)
		template := s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P30D"}})
		sets := []string{set}
		for len(sets) < many {
			id, _ := s.world.KeySet(t, application, s.env, template, nil)
			sets = append(sets, id)
		}
		missing := append([]string{}, sets...)
		missing[100] = "ks_01kx5zvyq4f3h8e8q2rkz0j0aa"
		const selection = "bulkOperation { status succeededCount }"
		s.change(t, "renewKeySets", selection, vars{"selection": vars{"ids": missing}, "errorPolicy": "ALL_OR_NOTHING"})
		s.change(t, "renewKeySets", selection, vars{"selection": vars{"ids": sets}, "isDryRun": true})
		if got := s.change(t, "renewKeySets", selection, vars{"selection": vars{"ids": sets}}); got.Get("bulkOperation", "succeededCount") != float64(many) {
			t.Fatalf("renewed: %v", got)
		}
		renewed := s.awaitNotified(t, "KEY_SET_RENEWED", "SENT", 1)[0]
		waiting := s.awaitNotified(t, "CREDENTIALS_WAITING", "SENT", 1)[0]
		if got := len(s.notified(t, nil)); got != 2 {
			t.Errorf("%d notifications, want 2", got)
		}
		s.expectNotificationsAbout(t, application, sets)
		if renewed.Get("recipient", "id") != owner || renewed["subject"] != "200 key sets were renewed" || len(renewed.List(t, "eventIds")) != many {
			t.Errorf("renewed: %v", renewed)
		}
		letter := apptest.ReadLetter(t, s.file(t, waiting.Text(t, "id")))
		if strings.Count(letter.Text, "Claim until: ") != 50 || !strings.Contains(letter.Text, "and 150 more") || letter.Subject != "New credentials of 200 key sets wait for you" {
			t.Errorf("waiting: %s\n%s", letter.Subject, letter.Text)
		}
	})
}

// expectNotificationsAbout asks for two notifications by what they are about: some key sets of an application.
func (s *scene) expectNotificationsAbout(t *testing.T, application string, sets []string) {
	t.Helper()
	other := s.app(t).ID
	for name, c := range map[string]struct {
		filter vars
		want   int
	}{
		"a key set":                         {vars{"keySetId": vars{"eq": sets[150]}}, 2},
		"one of two":                        {vars{"keySetId": vars{"in": []string{sets[0], "ks_01kx5zvyq4f3h8e8q2rkz0j0aa"}}}, 2},
		"another key set":                   {vars{"keySetId": vars{"eq": "ks_01kx5zvyq4f3h8e8q2rkz0j0aa"}}, 0},
		"none of its key sets":              {vars{"keySetId": vars{"neq": sets[0]}}, 0},
		"not one that it is not about":      {vars{"keySetId": vars{"nin": []string{"ks_01kx5zvyq4f3h8e8q2rkz0j0aa"}}}, 2},
		"any":                               {vars{"keySetId": vars{"isNull": false}}, 2},
		"the application":                   {vars{"applicationId": vars{"eq": application}}, 2},
		"the application as a key set":      {vars{"keySetId": vars{"eq": application}}, 0},
		"another application":               {vars{"applicationId": vars{"eq": other}}, 0},
		"the application, and a kind":       {vars{"applicationId": vars{"eq": application}, "kind": vars{"eq": "KEY_SET_RENEWED"}}, 1},
		"no application":                    {vars{"applicationId": vars{"isNull": true}}, 0},
		"not about a key set, or about one": {vars{"or": []vars{{"not": vars{"keySetId": vars{"eq": sets[1]}}}, {"keySetId": vars{"eq": sets[2]}}}}, 2},
	} {
		if got := len(s.notified(t, c.filter)); got != c.want {
			t.Errorf("%s: %d notifications, want %d", name, got, c.want)
		}
	}
}

func TestS2_26_S3_21_S3_23_TenantsAndPeopleChooseWhoIsTold(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, posting(o))
		owner, client, application, set := s.owned(t, nil)
		member, _ := s.world.User(t, "Viewer")
		left, _ := s.world.User(t, "Viewer")
		group := s.change(t, "createGroup", "group { id }", vars{"name": "Security", "organizationId": s.org, "memberIds": []string{member, left}}).Text(t, "group", "id")
		s.change(t, "deactivateUser", "", vars{"id": left})
		rule := func(kind string, more vars) vars {
			more["kind"] = kind
			return more
		}
		const settings = `settings { mailSubjectPrefix notificationRules { kind isEnabled recipientGroups { id } } }`
		s.refused(t, "NOT_FOUND", "updateTenantSettings", vars{"notificationRules": []vars{rule("KEY_SET_REVOKED", vars{"recipientGroupIds": []string{"grp_01kx5zvyq4f3h8e8q2rkz0j0aa"}})}})
		s.refused(t, "INVALID", "updateTenantSettings", vars{"notificationRules": []vars{rule("KEY_SET_REVOKED", vars{}), rule("KEY_SET_REVOKED", vars{})}})
		s.refused(t, "INVALID", "updateTenantSettings", vars{"mailSubjectPrefix": "two\nlines"})
		changed := s.change(t, "updateTenantSettings", settings, vars{"mailSubjectPrefix": "[Keys]", "notificationRules": []vars{rule("KEY_SET_REVOKED", vars{"recipientGroupIds": []string{group}}), rule("KEY_SET_RENEWED", vars{"isEnabled": false})}})
		if len(changed.List(t, "settings", "notificationRules")) != 14 || changed.Get("settings", "mailSubjectPrefix") != "[Keys]" {
			t.Errorf("settings: %v", changed)
		}
		s.change(t, "renewKeySet", "", vars{"id": set})
		s.revoke(t, set)
		told := s.awaitNotified(t, "KEY_SET_REVOKED", "SENT", 2)
		people := map[any]bool{}
		for _, one := range told {
			people[one.Get("recipient", "id")] = true
			if !strings.HasPrefix(one.Text(t, "subject"), "[Keys] ") {
				t.Errorf("subject %v", one["subject"])
			}
		}
		if !people[owner] || !people[member] || len(s.notified(t, nil)) != 2 {
			t.Errorf("told: %v", s.notified(t, nil))
		}
		// The owner wants no more of it, and sees the mails of before.
		one := *s
		one.Client = client
		preferences := one.change(t, "updateNotificationPreferences", "notificationPreferences { kind isEnabled }", vars{"preferences": []vars{{"kind": "KEY_SET_REVOKED", "isEnabled": false}}})
		if len(preferences.List(t, "notificationPreferences")) != 14 {
			t.Errorf("preferences: %v", preferences)
		}
		own := one.Do(t, `{ viewer { notifications { nodes { id emailAddress } } } }`, nil)
		if len(own.List(t, "viewer", "notifications", "nodes")) != 1 {
			t.Errorf("own: %v", own)
		}
		if all := one.Send(t, `{ notifications { nodes { id } } }`, nil); len(all.Errors) != 1 || all.Errors[0].Code() != "FORBIDDEN" {
			t.Errorf("all: %s", all.Body)
		}
		again, _ := s.world.KeySet(t, application, s.env, s.template, nil)
		s.revoke(t, again)
		if told := s.awaitNotified(t, "KEY_SET_REVOKED", "SENT", 3); told[2].Get("recipient", "id") != member {
			t.Errorf("told: %v", told)
		}
	})
}

// Who has no address is seen not to have been told, and stops nobody else.
func TestARecipientWithoutAddressIsVisibleAndNotFatal(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		s := newScene(t, posting(o))
		robot := s.change(t, "createUser", "user { id }", vars{"displayName": "Robot", "isServiceAccount": true}).Text(t, "user", "id")
		gone, _ := s.world.User(t, "Developer")
		_, _, _, unreachable := s.owned(t, vars{"ownerId": robot})
		_, _, _, silent := s.owned(t, vars{"ownerId": gone})
		s.change(t, "deactivateUser", "", vars{"id": gone})
		s.revoke(t, silent)
		s.revoke(t, unreachable)
		one := s.awaitNotified(t, "KEY_SET_REVOKED", "UNDELIVERABLE", 1)[0]
		if one.Get("recipient", "id") != robot || one["emailAddress"] != nil || !strings.Contains(one.Text(t, "lastError"), "no email address") {
			t.Errorf("undeliverable: %v", one)
		}
		s.refused(t, "INVALID", "retryNotification", vars{"id": one["id"]})
		if got := len(s.notified(t, nil)); got != 1 {
			t.Errorf("%d notifications, want 1", got)
		}
		// So it is where a robot alone decides, and where a person does, too, the person is told.
		person, _ := s.world.User(t, "API Provider")
		decider := s.change(t, "createUser", "user { id }", vars{"displayName": "Decider", "isServiceAccount": true, "roleIds": s.roles(t, "API Provider")}).Text(t, "user", "id")
		s.change(t, "issueSignInKey", "", vars{"userId": decider})
		for _, members := range [][]string{{decider}, {decider, person}} {
			group := s.change(t, "createGroup", "group { id }", vars{"name": s.world.Name("Group"), "organizationId": s.org, "memberIds": members}).Text(t, "group", "id")
			set, _ := s.world.KeySet(t, s.app(t).ID, s.env, s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{"validity": "P30D"}, "approvals": []vars{{"action": "RENEW_KEY_SET", "approverGroupId": group}}}), nil)
			s.change(t, "renewKeySet", "", vars{"id": set})
		}
		if one := s.awaitNotified(t, "APPROVAL_REQUESTED", "UNDELIVERABLE", 1)[0]; one.Get("recipient", "id") != decider {
			t.Errorf("undeliverable: %v", one)
		}
		if one := s.awaitNotified(t, "APPROVAL_REQUESTED", "SENT", 1)[0]; one.Get("recipient", "id") != person {
			t.Errorf("sent: %v", one)
		}
	})
}

// What the server does by itself is announced, and told: where a new key waits, and what has ended.
func TestOwnersAreToldOfRotationsAndExpirations(t *testing.T) {
	apptest.Everywhere(t, func(t *testing.T, o apptest.Options) {
		clock := newHeldClock("2026-11-21T09:30:00Z")
		o.Now = clock.Now
		s := newScene(t, posting(o))
		owner, _, application, expiring := s.owned(t, nil)
		rotating, _ := s.world.KeySet(t, application, s.env, s.world.PolicyTemplate(t, "API_KEY", vars{"expiration": vars{}, "rotation": vars{"mode": "AUTOMATIC", "interval": "P30D", "overlap": "P1D"}}), nil)
		s.server.Due(t)
		clock.pass(t, s, 23*day+time.Minute)
		for _, kind := range []string{"KEY_SET_ROTATION_COMING", "KEY_SET_EXPIRING"} {
			if one := s.awaitNotified(t, kind, "SENT", 1)[0]; one.Get("recipient", "id") != owner {
				t.Errorf("%s: %v", kind, one)
			}
		}
		clock.pass(t, s, 7*day)
		waiting := s.awaitNotified(t, "CREDENTIALS_WAITING", "SENT", 1)[0]
		letter := apptest.ReadLetter(t, s.file(t, waiting.Text(t, "id")))
		if waiting.Get("recipient", "id") != owner || !strings.Contains(letter.Text, "ID: "+rotating) || !strings.Contains(letter.Text, "Claim until: 2026-12-28") {
			t.Errorf("waiting: %v\n%s", waiting, letter.Text)
		}
		expired := s.awaitNotified(t, "KEY_SET_EXPIRED", "SENT", 1)[0]
		letter = apptest.ReadLetter(t, s.file(t, expired.Text(t, "id")))
		if !strings.Contains(letter.Text, "ID: "+expiring) || !strings.Contains(letter.Text, "Valid until: 2026-12-21 09:30 UTC (+00:00)") {
			t.Errorf("expired: %s", letter.Text)
		}
		if told := s.notified(t, vars{"kind": vars{"eq": "KEY_SET_ROTATED"}}); len(told) != 0 {
			t.Errorf("one rotation was told twice: %v", told)
		}
	})
}

func TestABrokenTemplateStopsTheStart(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "key-set-expired.txt"), []byte("one\n{{.Nothing}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := app.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", LogFormat: "text", ShutdownTimeout: time.Second, Mail: app.Mail{Templates: folder}}
	_, err := app.Start(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), filepath.Join(folder, "key-set-expired.txt")+":2:") {
		t.Errorf("the start says %v", err)
	}
	if _, err := os.Stat(filepath.Join(c.Data, "keywright.db")); err == nil {
		t.Error("a database was touched")
	}
}

// Somebody who sets up mail sees one arrive by the settings of the server, or which of them is wrong.
func TestAMailIsTriedWithTheSettingsOfTheServer(t *testing.T) {
	mails := apptest.StartMailServer(t, false)
	said, settings := &apptest.Logs{}, mails.Mail()
	if err := app.TryMail(t.Context(), "ada@example.com", t.TempDir(), settings, said); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if got := mails.Received(); len(got) != 1 || !strings.Contains(said.String(), "signed in as "+apptest.MailUser+"\n") || strings.Contains(said.String(), apptest.MailPassword) {
		t.Errorf("%d mails arrived:\n%s", len(got), said)
	}
	settings.SMTPTLS = "implicit"
	if err := app.TryMail(t.Context(), "ada@example.com", t.TempDir(), settings, said); err == nil || !strings.Contains(err.Error(), "set smtp-tls starttls") {
		t.Errorf("the wrong encryption: %v", err)
	}
}

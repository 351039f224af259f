package mail_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/apptest"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/mail"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/secret"
)

var update = flag.Bool("update", false, "write the golden files")

func load(t *testing.T, folder, portal string) *mail.Templates {
	t.Helper()
	templates, err := mail.LoadTemplates(folder, portal)
	if err != nil {
		t.Fatal(err)
	}
	return templates
}

// Each mail, of one item and of many, as people see it.
func TestMailsReadAsTheyDid(t *testing.T) {
	templates := load(t, "", "https://portal.example.com/objects/{id}")
	for _, kind := range lifecycle.AllNotificationKind() {
		for _, form := range []string{"one", "many"} {
			content := mail.Sample(kind, form == "many")
			subject, err := templates.Subject(kind, content)
			if err != nil {
				t.Fatal(err)
			}
			text, html, err := templates.Body(kind, content)
			if err != nil {
				t.Fatal(err)
			}
			got := "Subject: " + subject + "\n\n" + text + "\n" + html
			path := filepath.Join("testdata", strings.ToLower(string(kind))+"."+form)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s reads\n%s", path, got)
			}
			if strings.Contains(html, "<stock") || form == "many" && !strings.Contains(html, "&lt;stock &amp; orders&gt;") {
				t.Errorf("%s: the markup in a name is markup of the mail", path)
			}
		}
	}
}

func TestDatesAreOfTheTenantsZoneAndOfNoLanguage(t *testing.T) {
	templates := load(t, "", "")
	for zone, want := range map[string]string{
		"Europe/Berlin": "2026-03-29 01:30 Europe/Berlin (+01:00)", "Asia/Kolkata": "2026-03-29 06:00 Asia/Kolkata (+05:30)", "UTC": "2026-03-29 00:30 UTC (+00:00)",
	} {
		content := mail.Sample(lifecycle.NotifyKeySetExpiring, false)
		content.Zone = zone
		text, html, err := templates.Body(lifecycle.NotifyKeySetExpiring, content)
		if err != nil || !strings.Contains(text, want) || !strings.Contains(html, strings.ReplaceAll(want, "+", "&#43;")) {
			t.Errorf("%s: %v\n%s", zone, err, text)
		}
	}
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFileTakesThePlaceOfTheBuiltInTemplateOfItsName(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "key-set-expired.subject.txt", "Over: {{.First.KeySet}}")
	write(t, folder, "layout.html", `{{define "page"}}<h1>{{template "title" .}}</h1>{{end}}`)
	templates := load(t, folder, "")
	content := mail.Sample(lifecycle.NotifyKeySetExpired, false)
	subject, err := templates.Subject(lifecycle.NotifyKeySetExpired, content)
	if err != nil || subject != "Over: API key – Shop" {
		t.Errorf("%q %v", subject, err)
	}
	text, html, err := templates.Body(lifecycle.NotifyKeySetExpired, content)
	if err != nil || html != "<h1>Key set \"API key – Shop\" has expired</h1>\n" || !strings.Contains(text, "has ended") {
		t.Errorf("%q %q %v", html, text, err)
	}
}

func TestATemplateThatMakesNoSenseIsRefusedWithItsFileAndLine(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"text that does not parse":     {"key-set-expired.txt", "one\n{{if}}", ":2: "},
		"html that does not parse":     {"layout.html", "\n\n{{end}}", ":3: "},
		"a subject that asks too much": {"key-set-expired.subject.txt", "\n{{.Secret}}", ":2:"},
		"text that fails for many":     {"key-set-expired.txt", "{{if .IsMany}}\n\n{{index .Items 7}}{{end}}", ":3:"},
		"an unknown function":          {"key-set-expired.html", "\n{{now}}", ":2: "},
		"html that cannot be escaped":  {"key-set-expired.html", "\n<a href='{{if .IsMany}}'{{end}}>", ":2:"},
		"a name that nothing has":      {"key-set-expird.txt", "x", "is no template's name"},
	} {
		folder := t.TempDir()
		write(t, folder, c.file, c.text)
		_, err := mail.LoadTemplates(folder, "")
		if err == nil || !strings.Contains(err.Error(), filepath.Join(folder, c.file)) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// notification is one that holds what people should not be able to do to mails.
func notification(to string) lifecycle.Notification {
	content := mail.Sample(lifecycle.NotifyApprovalRequested, false)
	content.Tenant = "Evil\r\nBcc: all@example.com"
	content.Items[0].KeySet, content.Items[0].Comment = "x\r\nBcc: all@example.com", "fine\n  Valid until: never"
	return lifecycle.Notification{
		ID: "ntf_01kx5zvyq4f3h8e8q2rkz0j0aa", Kind: lifecycle.NotifyApprovalRequested, Status: lifecycle.NotificationQueued, EmailAddress: &to,
		Subject: "[Keys] Renew\r\nBcc: all@example.com\r\n\r\nbody", Content: content, MessageID: "ntf_01kx5zvyq4f3h8e8q2rkz0j0aa@keywright.example",
		CreatedAt: time.Date(2026, 11, 21, 18, 45, 0, 0, time.UTC),
	}
}

func TestNoNameEndsAHeaderOrLooksLikeAFact(t *testing.T) {
	folder := t.TempDir()
	post, err := mail.ToFolder(load(t, "", ""), mail.Sender{From: "Keywright <keys@keywright.example>"}, folder, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	n := notification("ada@example.com")
	for range 2 { // again, as after a crash
		if err := post.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 1 || files[0].Name() != string(n.ID)+".eml" {
		t.Fatalf("%v %v", files, err)
	}
	data, err := os.ReadFile(filepath.Join(folder, files[0].Name()))
	if err != nil {
		t.Fatal(err)
	}
	letter := apptest.ReadLetter(t, string(data))
	for name, want := range map[string]string{
		"To": "<ada@example.com>", "From": `"Keywright" <keys@keywright.example>`, "Message-Id": "<" + n.MessageID + ">", "Bcc": "", "Auto-Submitted": "auto-generated",
		"Date": "Sat, 21 Nov 2026 18:45:00 +0000",
	} {
		if got := letter.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if letter.Subject != "[Keys] Renew Bcc: all@example.com body" {
		t.Errorf("subject %q", letter.Subject)
	}
	for _, line := range strings.Split(letter.Text, "\n") {
		if line := strings.TrimSpace(line); strings.HasPrefix(line, "Valid until") || strings.HasPrefix(line, "Bcc") {
			t.Errorf("a comment looks like a fact: %q", line)
		}
	}
}

func TestMailIsHandedOverByEncryptedConnectionsOnly(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		t.Run(fmt.Sprintf("implicit %t", implicit), func(t *testing.T) {
			server := apptest.StartMailServer(t, implicit)
			how := server.Mail()
			at := mail.SMTP{Host: how.SMTPHost, Port: how.SMTPPort, TLS: mail.TLS(how.SMTPTLS), User: how.SMTPUser, Password: how.SMTPPassword, Roots: how.SMTPRoots}
			sender := mail.Sender{From: "keys@keywright.example", Envelope: "bounces@keywright.example"}
			send := func(change func(*mail.SMTP)) error {
				one := at
				change(&one)
				post, err := mail.ToServer(load(t, "", ""), sender, one)
				if err != nil {
					return err
				}
				return post.Send(t.Context(), notification("ada@example.com"))
			}
			if err := send(func(*mail.SMTP) {}); err != nil {
				t.Fatal(err)
			}
			if got := server.Received(); len(got) != 1 || got[0].From != "bounces@keywright.example" || got[0].To != "ada@example.com" {
				t.Errorf("received %v", got)
			}
			isRefused := func(err error) bool {
				_, ok := errors.AsType[*manage.MailRefusedError](err)
				return ok
			}
			for name, change := range map[string]func(*mail.SMTP){
				"nobody vouches for it":  func(s *mail.SMTP) { s.Roots = nil },
				"it has another name":    func(s *mail.SMTP) { s.Host = "localhost" },
				"the password is wrong":  func(s *mail.SMTP) { s.Password = secret.NewText("wrong") },
				"a password in clear":    func(s *mail.SMTP) { s.TLS = mail.NoTLS },
				"a user and no password": func(s *mail.SMTP) { s.Password = secret.Text{} },
			} {
				err := send(change)
				if err == nil || isRefused(err) || strings.Contains(err.Error(), apptest.MailPassword) || strings.Contains(err.Error(), "wrong") {
					t.Errorf("%s: %v", name, err)
				}
			}
			for code, forGood := range map[int]bool{421: false, 450: false, 550: true, 553: true} {
				server.Answer(func(string) error { return apptest.Refusal(code) })
				err := send(func(*mail.SMTP) {})
				if err == nil || isRefused(err) != forGood || strings.Contains(err.Error(), "ada@example.com") {
					t.Errorf("%d: %v", code, err)
				}
			}
			server.Down()
			if err := send(func(*mail.SMTP) {}); err == nil || isRefused(err) {
				t.Errorf("it is down: %v", err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			post, err := mail.ToServer(load(t, "", ""), sender, at)
			if err != nil {
				t.Fatal(err)
			}
			if err := post.Send(ctx, notification("ada@example.com")); err == nil {
				t.Error("it was sent after the end")
			}
		})
	}
}

func TestEveryKindHasItsSample(t *testing.T) {
	seen := []string{}
	for _, kind := range lifecycle.AllNotificationKind() {
		subject, err := load(t, "", "").Subject(kind, mail.Sample(kind, true))
		if err != nil || slices.Contains(seen, subject) {
			t.Errorf("%s: %q %v", kind, subject, err)
		}
		seen = append(seen, subject)
	}
}

// A server that offers no encryption, or somebody in between who takes the offer out, gets neither password nor mail.
func TestWithoutEncryptionNothingIsSaid(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends with the test
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 1)
	go func() {
		defer close(heard)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprint(conn, "220 mail.example\r\n")
		said := ""
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			said += lines.Text() + "\n"
			_, _ = fmt.Fprint(conn, "250-mail.example\r\n250 AUTH PLAIN\r\n")
		}
		heard <- said
	}()
	post, err := mail.ToServer(load(t, "", ""), mail.Sender{From: "keys@keywright.example"}, mail.SMTP{
		Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, TLS: mail.StartTLS,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := post.Send(t.Context(), notification("ada@example.com")); err == nil {
		t.Error("it was sent")
	}
	_ = listener.Close()
	if said := <-heard; strings.Contains(said, "AUTH") || strings.Contains(said, "MAIL") {
		t.Errorf("said %q", said)
	}
}

// Whoever tries the settings is told what happens, and what would be right.
func TestATrialSaysWhatHappensAndWhatWouldBeRight(t *testing.T) {
	server := apptest.StartMailServer(t, false)
	implicit := apptest.StartMailServer(t, true)
	try := func(on *apptest.MailServer, to string, change func(*mail.SMTP)) (said string, err error) {
		how := on.Mail()
		at := mail.SMTP{Host: how.SMTPHost, Port: how.SMTPPort, TLS: mail.TLS(how.SMTPTLS), User: how.SMTPUser, Password: how.SMTPPassword, Roots: how.SMTPRoots}
		change(&at)
		post, err := mail.ToServer(load(t, "", ""), mail.Sender{From: "keys@keywright.example"}, at)
		if err != nil {
			return "", err
		}
		err = post.Try(t.Context(), "ntf_01kx5zvyq4f3h8e8q2rkz0j0aa", to, time.Now(), func(format string, args ...any) { said += fmt.Sprintf(format+"\n", args...) })
		return said, err
	}
	for _, on := range []*apptest.MailServer{server, implicit} {
		said, err := try(on, "ada@example.com", func(*mail.SMTP) {})
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"from keys@keywright.example to ada@example.com", "mail server 127.0.0.1:", "encrypted by TLS 1.3, with a certificate of 127.0.0.1", "signed in as keywright", "has taken the mail over"} {
			if !strings.Contains(said, part) {
				t.Errorf("it does not say %q:\n%s", part, said)
			}
		}
		got := on.Received()
		if len(got) != 1 || got[0].To != "ada@example.com" || !strings.Contains(got[0].Data, "Subject: Keywright can send mail") {
			t.Errorf("received %v", got)
		}
	}
	down := apptest.StartMailServer(t, false)
	down.Down()
	for name, c := range map[string]struct {
		on     *apptest.MailServer
		to     string
		change func(*mail.SMTP)
		want   string
	}{
		"nobody vouches for it":       {server, "", func(s *mail.SMTP) { s.Roots = nil }, "SSL_CERT_FILE"},
		"it has another name":         {server, "", func(s *mail.SMTP) { s.Host = "localhost" }, "smtp-host must be one of the names in the server's certificate: 127.0.0.1"},
		"the password is wrong":       {server, "", func(s *mail.SMTP) { s.Password = secret.NewText("wrong") }, "smtp-user or the password is wrong"},
		"it wants a user":             {server, "", func(s *mail.SMTP) { s.User, s.Password = "", secret.Text{} }, "the server may want a user"},
		"it does not begin encrypted": {server, "", func(s *mail.SMTP) { s.TLS = mail.ImplicitTLS }, "set smtp-tls starttls"},
		"nothing listens":             {down, "", func(*mail.SMTP) {}, "nothing listens at that port"},
		"the recipient is refused":    {server, "nobody@example.com", func(*mail.SMTP) {}, "does not take mail for this recipient"},
		"no address":                  {server, "Ada", func(*mail.SMTP) {}, "is no address such as"},
	} {
		server.Answer(func(to string) error {
			if to == "nobody@example.com" {
				return apptest.Refusal(550)
			}
			return nil
		})
		said, err := try(c.on, cmp.Or(c.to, "ada@example.com"), c.change)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(said, "taken the mail over") || strings.Contains(err.Error(), apptest.MailPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What was approved is told in the words of what was asked for, and a claim only where something waits.
func TestAnApprovalSaysWhatCameOfWhatWasAskedFor(t *testing.T) {
	templates, soon := load(t, "", ""), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for want, item := range map[string]lifecycle.NotificationItem{
		"renew a key set was approved. The key set has a new key with new validity.\n\nNew credentials wait":   {Action: lifecycle.ApprovalToRenew, HasNewKey: true, ClaimableUntil: &soon},
		"renew a key set was approved. The key stays the same and is valid for longer.\n\n  Key set":           {Action: lifecycle.ApprovalToRenew},
		"regenerate a key set was approved. The key set has a new key.\n\nNew credentials wait":                {Action: lifecycle.ApprovalToRegenerate, HasNewKey: true, ClaimableUntil: &soon},
		"revoke a key set was approved. The key set is revoked for good: calls with its keys are refused.\n\n": {Action: lifecycle.ApprovalToRevoke},
		"subscribe to an API was approved. The application is subscribed now.\n\nNew credentials wait":         {Action: lifecycle.ApprovalToSubscribe, HasNewKey: true, ClaimableUntil: &soon},
	} {
		item.KeySet = "Shop"
		for _, items := range [][]lifecycle.NotificationItem{{item}, {item, item}} { // a subscription may have several key sets
			text, html, err := templates.Body(lifecycle.NotifyApprovalApproved, lifecycle.NotificationContent{Items: items, Count: 1})
			if err != nil || !strings.Contains(text, want) || strings.Contains(html, "New credentials") != (item.ClaimableUntil != nil) {
				t.Errorf("%v, want %q:\n%s", err, want, text)
			}
		}
	}
}

package app

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/keywright/keywright/internal/jobs"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/mail"
	"github.com/keywright/keywright/internal/scheduler"
	"github.com/keywright/keywright/internal/secret"
	"github.com/keywright/keywright/internal/store"
)

// DefaultMailFrom is whom mails are from unless somebody says otherwise.
const DefaultMailFrom = "Keywright <keywright@localhost>"

// Mail is how people are told of things.
type Mail struct {
	From         string // address, with a name or without; empty: DefaultMailFrom
	EnvelopeFrom string // address that bounces go to; empty: that of From
	Templates    string // folder with templates that take the place of built-in ones; empty: none
	PortalURL    string // that mails link to, where {id} stands for the id of an object; empty: no links
	SMTPHost     string // empty: mails are files in the data folder
	SMTPPort     int
	SMTPTLS      string // starttls, implicit or none
	SMTPUser     string // empty: without authentication
	SMTPPassword secret.Text

	// SMTPRoots may vouch for the mail server; null: whom the machine trusts. Tests have their own.
	SMTPRoots *x509.CertPool
	// Delay is how long to wait before a mail is sent again that has failed some times; null: as package lifecycle says.
	Delay func(failed int) time.Duration
	// Poll is how often jobs are looked for; 0: as package jobs says.
	Poll time.Duration
}

func (m Mail) smtp() mail.SMTP {
	return mail.SMTP{Host: m.SMTPHost, Port: m.SMTPPort, TLS: mail.TLS(m.SMTPTLS), User: m.SMTPUser, Password: m.SMTPPassword, Roots: m.SMTPRoots}
}

func (m Mail) sender() mail.Sender {
	if m.From == "" {
		m.From = DefaultMailFrom
	}
	return mail.Sender{From: m.From, Envelope: m.EnvelopeFrom}
}

func (m Mail) check() error {
	if m.PortalURL != "" {
		u, err := url.Parse(strings.ReplaceAll(m.PortalURL, "{id}", "id"))
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
			return errors.New("portal-url: must be a URL such as https://portal.example.com/objects/{id}")
		}
	}
	if err := mail.CheckSender(m.sender()); err != nil {
		return err
	}
	return m.smtp().Check()
}

// openPost prepares what sends mail.
func (m Mail) openPost(data string, logger *slog.Logger) (*mail.Post, error) {
	templates, err := mail.LoadTemplates(m.Templates, m.PortalURL)
	if err != nil {
		return nil, err
	}
	if m.SMTPHost == "" {
		return mail.ToFolder(templates, m.sender(), filepath.Join(data, "mail"), logger)
	}
	return mail.ToServer(templates, m.sender(), m.smtp())
}

// TryMail sends one mail to an address as the server would send it, and says step by step what happens. The error says
// what would be right. data is the data folder.
func TryMail(ctx context.Context, address, data string, m Mail, out io.Writer) error {
	if err := m.check(); err != nil {
		return err
	}
	post, err := m.openPost(data, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ids := lifecycle.IDs{Now: machineTime, Rand: rand.Reader}
	var unheard error
	err = post.Try(ctx, lifecycle.NotificationID(ids.New(lifecycle.KindNotification)), address, machineTime(), func(format string, args ...any) {
		if _, err := fmt.Fprintf(out, format+"\n", args...); err != nil {
			unheard = err
		}
	})
	return errors.Join(err, unheard)
}

// runJobs begins to work jobs. Finding out who has to be told of a thousand rotations is as much work as they are: it takes
// turns with them. Sending waits for other servers, and needs none.
func (s *Server) runJobs(turns *scheduler.Turns) (err error) {
	var behind func() time.Duration
	if s.clock != nil {
		behind = func() time.Duration { return s.clock.now().Sub(machineTime().Round(0)) }
	}
	notify := func(ctx context.Context, tenant lifecycle.TenantID, events []lifecycle.EventID) error {
		return turns.Take(ctx, func(ctx context.Context) error { return s.service.Notify(ctx, tenant, events) })
	}
	s.jobs, err = jobs.Start(jobs.Config{
		DB: s.opened.store.Writer(), IsSQLite: store.IsSQLite(s.config.databaseURL()), Logger: s.logger,
		MailDelay: s.config.Mail.Delay, Poll: s.config.Mail.Poll, Behind: behind,
		Work: jobs.Work{Notify: notify, SendMail: s.sendMail},
	})
	return err
}

// sendMail sends a mail, and tells the operator of a mail server that does not take mails.
func (s *Server) sendMail(ctx context.Context, tenant lifecycle.TenantID, id lifecycle.NotificationID) (int, error) {
	failed, err := s.service.SendNotification(ctx, tenant, id)
	if failed > 0 {
		s.logger.Warn("a mail could not be sent and is sent again later", "tenant", tenant, "notification", id, "attempts", failed)
	}
	return failed, err
}

// PreviewMail shows mails with made-up content: of one kind, by its name in any case, or of all where it is empty. isHTML
// shows the HTML instead of the text.
func PreviewMail(kind string, isHTML bool, m Mail, out io.Writer) error {
	templates, err := mail.LoadTemplates(m.Templates, m.PortalURL)
	if err != nil {
		return err
	}
	kinds := lifecycle.AllNotificationKind()
	if kind != "" {
		one := lifecycle.NotificationKind(strings.ToUpper(strings.ReplaceAll(kind, "-", "_")))
		if !one.IsValid() {
			return fmt.Errorf("there is no mail %q; there are %s", kind, strings.ToLower(fmt.Sprint(kinds)))
		}
		kinds = []lifecycle.NotificationKind{one}
	}
	for _, one := range kinds {
		content := mail.Sample(one, false)
		subject, err := templates.Subject(one, content)
		if err != nil {
			return err
		}
		text, html, err := templates.Body(one, content)
		if err != nil {
			return err
		}
		if isHTML {
			_, err = io.WriteString(out, html)
		} else {
			_, err = fmt.Fprintf(out, "Subject: %s\n\n%s\n", subject, text)
		}
		if err != nil {
			return fmt.Errorf("show a mail: %w", err)
		}
	}
	return nil
}

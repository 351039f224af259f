package mail

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// Post writes notifications and sends them. It implements [manage.Post].
type Post struct {
	*Templates
	from      string // address, with a name or without
	envelope  string // where bounces go; empty: to from
	host      string // of Message-IDs
	transport transport
}

// transport takes over messages.
type transport interface {
	// send hands over a message. id names it; it may have been handed over before. Who tells hears what happens, and the error
	// then says what would be right.
	send(ctx context.Context, id lifecycle.NotificationID, message *gomail.Msg, tell tell) error
}

// Sender says who mails are from.
type Sender struct {
	From     string // keys@example.com, or Keywright <keys@example.com>
	Envelope string // address that bounces go to; empty: that of From
}

// CheckSender refuses addresses that are none.
func CheckSender(s Sender) error {
	if _, err := mail.ParseAddress(s.From); err != nil || strings.ContainsAny(s.From, "\r\n") {
		return errors.New("mail-from: must be an address such as keys@example.com or Keywright <keys@example.com>")
	}
	if s.Envelope == "" {
		return nil
	}
	if address, err := mail.ParseAddress(s.Envelope); err != nil || address.Address != s.Envelope {
		return errors.New("mail-envelope-from: must be an address such as bounces@example.com")
	}
	return nil
}

func newPost(templates *Templates, s Sender, t transport) (*Post, error) {
	if err := CheckSender(s); err != nil {
		return nil, err
	}
	address, err := mail.ParseAddress(s.From)
	if err != nil {
		return nil, fmt.Errorf("mail-from: %w", err)
	}
	_, host, _ := strings.Cut(address.Address, "@")
	return &Post{Templates: templates, from: s.From, envelope: s.Envelope, host: host, transport: t}, nil
}

// MessageID implements [manage.Post].
func (p *Post) MessageID(id lifecycle.NotificationID) string { return string(id) + "@" + p.host }

// Send implements [manage.Post].
func (p *Post) Send(ctx context.Context, n lifecycle.Notification) error {
	message, err := p.message(n)
	if err != nil {
		return err
	}
	if err := p.transport.send(ctx, n.ID, message, nil); err != nil {
		return without(err, n.EmailAddress)
	}
	return nil
}

// message writes a notification. What is the same in it is the same whenever it is written.
func (p *Post) message(n lifecycle.Notification) (*gomail.Msg, error) {
	if n.EmailAddress == nil {
		return nil, &manage.MailRefusedError{Reason: "the recipient has no email address"}
	}
	text, html, err := p.Body(n.Kind, n.Content)
	if err != nil {
		return nil, err
	}
	m, err := p.letter(*n.EmailAddress, n.Subject, n.MessageID, n.CreatedAt)
	if err != nil {
		return nil, err
	}
	m.SetBodyString(gomail.TypeTextPlain, text)
	m.AddAlternativeString(gomail.TypeTextHTML, html)
	return m, nil
}

// letter begins a mail: all but what it says.
func (p *Post) letter(to, subject, messageID string, date time.Time) (*gomail.Msg, error) {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if err := m.From(p.from); err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	if p.envelope != "" {
		if err := m.EnvelopeFrom(p.envelope); err != nil {
			return nil, fmt.Errorf("sender: %w", err)
		}
	}
	if err := m.To(to); err != nil {
		return nil, &manage.MailRefusedError{Reason: "the email address of the recipient is malformed"}
	}
	m.Subject(oneLine(subject))
	m.SetMessageIDWithValue(messageID)
	m.SetDateWithValue(date)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's absence answers it
	m.SetGenHeader("X-Auto-Response-Suppress", "All")
	return m, nil
}

// without leaves the recipient's address out of an error: who may read the error may not be who may read the address.
func without(err error, address *string) error {
	text := strings.ReplaceAll(err.Error(), *address, "the recipient")
	if _, isRefused := errors.AsType[*manage.MailRefusedError](err); isRefused {
		return &manage.MailRefusedError{Reason: text}
	}
	return errors.New(text)
}

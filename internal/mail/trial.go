package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"slices"
	"strings"
	"syscall"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/keywright/keywright/internal/lifecycle"
)

// tell is told, line by line, what happens to a mail; null: nobody listens.
type tell func(format string, args ...any)

func (t tell) say(format string, args ...any) {
	if t != nil {
		t(format, args...)
	}
}

// Try sends one mail that says nothing to an address, and tells what happens. The error says which step failed and what
// would be right. id and now go into the mail.
func (p *Post) Try(ctx context.Context, id lifecycle.NotificationID, address string, now time.Time, listener func(format string, args ...any)) error {
	if one, err := mail.ParseAddress(address); err != nil || one.Address != address {
		return fmt.Errorf("%q is no address such as ada@example.com", address)
	}
	m, err := p.letter(address, "Keywright can send mail", p.MessageID(id), now)
	if err != nil {
		return err
	}
	m.SetBodyString(gomail.TypeTextPlain, "This is a test. Whoever runs Keywright wanted to see whether its mail arrives.\n")
	told := tell(listener)
	told.say("from %s to %s", p.from, address)
	return p.transport.send(ctx, id, m, told)
}

// advised adds to an error what would be right.
func (s SMTP) advised(err error) error {
	if advice := s.advice(err); advice != "" {
		return fmt.Errorf("%w: %s", err, advice)
	}
	return err
}

// advice says what is probably wrong with the settings when a mail server cannot be reached or does not take a mail.
func (s SMTP) advice(err error) string {
	if refused, ok := errors.AsType[*gomail.SendError](err); ok {
		return s.adviceOnRefusal(refused)
	}
	if otherName, ok := errors.AsType[x509.HostnameError](err); ok {
		return "smtp-host must be one of the names in the server's certificate: " + strings.Join(namesIn(otherName.Certificate), ", ")
	}
	network, _ := errors.AsType[net.Error](err)
	switch text := err.Error(); {
	case is[*net.DNSError](err):
		return "smtp-host must be the name or the address of the mail server"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at that port: smtp-port is 587 for most servers with smtp-tls starttls, and 465 with implicit"
	case is[tls.RecordHeaderError](err):
		return "the server does not begin encrypted: set smtp-tls starttls, usually with smtp-port 587"
	case is[x509.UnknownAuthorityError](err):
		return "nobody whom this machine trusts vouches for the server: name the file with its authority's certificate in SSL_CERT_FILE"
	case is[x509.CertificateInvalidError](err):
		return "the server needs another certificate"
	case strings.Contains(text, "does not support STARTTLS"):
		return "the server cannot be encrypted on that port: set smtp-tls implicit, usually with smtp-port 465, or none if it is on this machine"
	case strings.Contains(text, "SMTP AUTH failed"):
		return "smtp-user or the password is wrong, or this user may not sign in"
	case strings.Contains(text, "SMTP AUTH"), strings.Contains(text, "SMTP Auth"):
		return "the server does not let users sign in on that port: leave smtp-user out, or use the port that is for sending, usually 587"
	case network != nil && network.Timeout():
		return "there was no answer in time: with smtp-tls starttls the port must not be one that is encrypted from the first byte, such as 465; or something in between blocks it"
	}
	return ""
}

func is[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

func (s SMTP) adviceOnRefusal(refused *gomail.SendError) string {
	switch refused.Reason { //nolint:exhaustive // of the others there is nothing to advise
	case gomail.ErrSMTPMailFrom:
		if s.User == "" {
			return "the server may want a user: set smtp-user; or it does not know the address in mail-from"
		}
		return "the server does not let this user send from the address in mail-from, or in mail-envelope-from"
	case gomail.ErrSMTPRcptTo:
		if s.User == "" {
			return "without smtp-user a server takes mail for its own recipients only"
		}
		return "the server does not take mail for this recipient"
	}
	return ""
}

// encryption says how a connection is encrypted, and by whom.
func encryption(state *tls.ConnectionState) string {
	text := tls.VersionName(state.Version)
	if len(state.PeerCertificates) > 0 {
		one := state.PeerCertificates[0]
		text += fmt.Sprintf(", with a certificate of %s that is valid until %s", strings.Join(namesIn(one), ", "), one.NotAfter.Format(time.DateOnly))
	}
	return text
}

func namesIn(one *x509.Certificate) []string {
	names := slices.Clone(one.DNSNames)
	for _, ip := range one.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
	"github.com/keywright/keywright/internal/secret"
)

// TLS is how a connection to a mail server is encrypted.
type TLS string

// Values of TLS.
const (
	StartTLS    TLS = "starttls" // begins in clear, and goes on encrypted or not at all
	ImplicitTLS TLS = "implicit" // encrypted from the first byte
	NoTLS       TLS = "none"
)

// Times that a mail server may take.
const (
	timeoutOfStep = 10 * time.Second
	timeoutOfMail = 25 * time.Second // below that of a job
)

// SMTP says how a mail server is reached.
type SMTP struct {
	Host     string
	Port     int
	TLS      TLS
	User     string // empty: without authentication
	Password secret.Text
	Roots    *x509.CertPool // who may vouch for the server; null: whom the machine trusts
}

// Check refuses what cannot be meant.
func (s SMTP) Check() error {
	switch {
	case s.Host == "":
		return nil
	case s.Port < 1 || s.Port > 65535:
		return errors.New("smtp-port: must be from 1 to 65535")
	case s.TLS != StartTLS && s.TLS != ImplicitTLS && s.TLS != NoTLS:
		return errors.New("smtp-tls: must be starttls, implicit or none")
	case s.User == "" && s.Password.Reveal() != "":
		return errors.New("smtp-user: there is a password and no user")
	case s.User != "" && s.Password.Reveal() == "":
		return errors.New("smtp-user: there is no password: set KEYWRIGHT_SMTP_PASSWORD or smtp-password-file")
	case s.User != "" && s.TLS == NoTLS:
		return errors.New("smtp-tls: a password is not sent in clear")
	}
	return nil
}

// ToServer returns a post that hands mails to a mail server.
func ToServer(templates *Templates, s Sender, at SMTP) (*Post, error) {
	if err := at.Check(); err != nil {
		return nil, err
	}
	return newPost(templates, s, &server{at: at})
}

// server is a mail server. Each mail is handed over on a connection of its own.
type server struct{ at SMTP }

func (s *server) send(ctx context.Context, _ lifecycle.NotificationID, message *gomail.Msg, tell tell) error {
	ctx, cancel := context.WithTimeout(ctx, timeoutOfMail)
	defer cancel()
	var connection net.Conn
	client, err := s.client(func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		connection, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return connection, err
	})
	if err != nil {
		return err
	}
	defer func() {
		if connection != nil {
			_ = connection.Close() // which the library leaves open when the server does not encrypt
		}
	}()
	tell.say("mail server %s, smtp-tls %s", net.JoinHostPort(s.at.Host, strconv.Itoa(s.at.Port)), s.at.TLS)
	conversation, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return s.failed(fmt.Errorf("reach the mail server: %w", err), tell)
	}
	s.describe(conversation, tell)
	err = client.SendWithSMTPClient(conversation, message)
	_ = client.CloseWithSMTPClient(conversation) // what it has taken over it has taken over
	if err == nil {
		tell.say("the mail server has taken the mail over: whether it arrives is up to it now")
		return nil
	}
	if err = s.failed(fmt.Errorf("hand the mail to the mail server: %w", err), tell); isRefusal(err) {
		return &manage.MailRefusedError{Reason: err.Error()}
	}
	return err
}

// failed is an error with some advice for who listens.
func (s *server) failed(err error, tell tell) error {
	if tell == nil {
		return err
	}
	return s.at.advised(err)
}

// describe tells of a conversation that has begun.
func (s *server) describe(conversation *smtp.Client, tell tell) {
	if state, err := conversation.GetTLSConnectionState(); err == nil {
		tell.say("connected, encrypted by %s", encryption(state))
	} else {
		tell.say("connected, not encrypted")
	}
	if s.at.User != "" {
		tell.say("signed in as %s", s.at.User)
	} else {
		tell.say("not signed in: no smtp-user is set")
	}
}

func (s *server) client(dial gomail.DialContextFunc) (*gomail.Client, error) {
	options := []gomail.Option{
		gomail.WithPort(s.at.Port), gomail.WithTimeout(timeoutOfStep),
		gomail.WithTLSConfig(&tls.Config{ServerName: s.at.Host, RootCAs: s.at.Roots, MinVersion: tls.VersionTLS12}),
	}
	switch s.at.TLS {
	case StartTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory), gomail.WithDialContextFunc(dial))
	case ImplicitTLS:
		options = append(options, gomail.WithSSL())
	case NoTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS), gomail.WithDialContextFunc(dial))
	}
	if s.at.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.at.User), gomail.WithPassword(s.at.Password.Reveal()))
	}
	client, err := gomail.NewClient(s.at.Host, options...)
	if err != nil {
		return nil, fmt.Errorf("prepare the connection to the mail server: %w", err)
	}
	return client, nil
}

// isRefusal reports whether the server refuses this recipient or this message for good. That it refuses the sender or the
// password is a fault of the configuration, which somebody will mend.
func isRefusal(err error) bool {
	refused, ok := errors.AsType[*gomail.SendError](err)
	if !ok || refused.IsTemp() || refused.ErrorCode() < 500 {
		return false
	}
	//exhaustive:ignore
	switch refused.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose, gomail.ErrWriteContent:
		return true
	}
	return false
}

package apptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/keywright/keywright/internal/app"
	"github.com/keywright/keywright/internal/secret"
)

// Who may send by a MailServer.
const (
	MailUser     = "keywright"
	MailPassword = "pass word of the mail server"
)

// MailServer is a real mail server, which takes mail from MailUser over an encrypted connection only.
type MailServer struct {
	tb       testing.TB
	implicit bool
	address  *net.TCPAddr
	roots    *x509.CertPool
	config   *tls.Config

	mu       sync.Mutex
	server   *smtp.Server
	listener net.Listener
	ended    chan struct{}
	answer   func(to string) error
	received []ReceivedMail
	attempts int
}

// ReceivedMail is a mail that a MailServer has taken over.
type ReceivedMail struct {
	From, To string // of the envelope
	Data     string
}

// StartMailServer starts a mail server that ends with the test. With implicit its connections are encrypted from the first
// byte on, otherwise by STARTTLS.
func StartMailServer(tb testing.TB, implicit bool) *MailServer {
	tb.Helper()
	m := &MailServer{tb: tb, implicit: implicit, answer: func(string) error { return nil }}
	m.certify()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends with the test
	if err != nil {
		tb.Fatal(err)
	}
	m.address = listener.Addr().(*net.TCPAddr)
	m.serve(listener)
	tb.Cleanup(m.Down)
	return m
}

// Mail is how Keywright reaches the server.
func (m *MailServer) Mail() app.Mail {
	encryption := "starttls"
	if m.implicit {
		encryption = "implicit"
	}
	return app.Mail{
		From: "Keys <keys@keywright.example>", SMTPHost: "127.0.0.1", SMTPPort: m.address.Port, SMTPTLS: encryption, SMTPUser: MailUser,
		SMTPPassword: secret.NewText(MailPassword), SMTPRoots: m.roots,
		Poll: 20 * time.Millisecond, Delay: func(int) time.Duration { return 30 * time.Millisecond },
	}
}

// Answer sets what the server says to each recipient from now on; null takes the mail.
func (m *MailServer) Answer(answer func(to string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = answer
}

// Refusal is what a server says with a code.
func Refusal(code int) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: "not here"}
}

// Received lists the mails that were taken over, the oldest first.
func (m *MailServer) Received() []ReceivedMail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]ReceivedMail(nil), m.received...)
}

// Attempts is how often somebody named a recipient.
func (m *MailServer) Attempts() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.attempts
}

// Down stops the server: connections are refused from now on.
func (m *MailServer) Down() {
	m.mu.Lock()
	server, listener, ended := m.server, m.listener, m.ended
	m.server = nil
	m.mu.Unlock()
	if server != nil {
		_, _ = listener.Close(), server.Close() // the server may not know its listener yet
		<-ended
	}
}

// Up starts it again at the same address.
func (m *MailServer) Up() {
	m.tb.Helper()
	listener, err := net.Listen("tcp", m.address.String()) //nolint:noctx // it ends with the test
	if err != nil {
		m.tb.Fatal(err)
	}
	m.serve(listener)
}

func (m *MailServer) serve(listener net.Listener) {
	server, ended := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{server: m}, nil })), make(chan struct{})
	server.Domain, server.TLSConfig, server.ReadTimeout, server.WriteTimeout = "mail.example", m.config, 10*time.Second, 10*time.Second
	server.ErrorLog = silent{}
	if m.implicit {
		listener = tls.NewListener(listener, m.config)
	}
	m.mu.Lock()
	m.server, m.listener, m.ended = server, listener, ended
	m.mu.Unlock()
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends with an error when it is closed
	}()
}

type silent struct{}

// Printf implements smtp.Logger.
func (silent) Printf(string, ...any) {}

// Println implements smtp.Logger.
func (silent) Println(...any) {}

// certify makes a certificate that nobody but the test trusts.
func (m *MailServer) certify() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		m.tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		m.tb.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		m.tb.Fatal(err)
	}
	m.roots = x509.NewCertPool()
	m.roots.AddCert(certificate)
	m.config = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
}

// mailSession is one connection.
type mailSession struct {
	server   *MailServer
	signedIn bool
	from, to string
}

// AuthMechanisms implements smtp.AuthSession. The library offers them on encrypted connections only.
func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth implements smtp.AuthSession.
func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != MailUser || password != MailPassword {
			return smtp.ErrAuthFailed
		}
		s.signedIn = true
		return nil
	}), nil
}

// Mail implements smtp.Session.
func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if !s.signedIn {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

// Rcpt implements smtp.Session.
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.server.mu.Lock()
	s.server.attempts++
	answer := s.server.answer
	s.server.mu.Unlock()
	s.to = to
	return answer(to)
}

// Data implements smtp.Session.
func (s *mailSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.received = append(s.server.received, ReceivedMail{From: s.from, To: s.to, Data: string(data)})
	return nil
}

// Reset implements smtp.Session.
func (s *mailSession) Reset() {}

// Logout implements smtp.Session.
func (s *mailSession) Logout() error { return nil }

// Command keywright runs the Keywright server and the tools around it.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/keywright/keywright/internal/app"
	"github.com/keywright/keywright/internal/secret"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

type commandLine struct {
	Config string `help:"YAML file with settings; its names are those of the flags. Flags and environment win over it." type:"existingfile" env:"KEYWRIGHT_CONFIG" placeholder:"FILE"`

	Serve   serve   `cmd:"" help:"Run the server."`
	Migrate migrate `cmd:"" help:"Bring the database to the form that this version works with."`
	Seed    seed    `cmd:"" help:"Add sample data: organizations, users, environments, APIs, applications. Running it twice adds nothing."`
	Audit   audit   `cmd:"" help:"Work with the event log."`
	Mail    mail    `cmd:"" help:"Work with mail."`
	Version version `cmd:"" help:"Print the version."`
}

// storage says where the server keeps things.
type storage struct {
	Data       string `help:"Folder for the database, the secret file and the first administrator's key. Default: ./data." default:"./data" env:"KEYWRIGHT_DATA" placeholder:"DIR"`
	Database   string `help:"URL of a PostgreSQL database, postgres://USER:PASSWORD@HOST:PORT/NAME. Default: SQLite in the data folder." env:"KEYWRIGHT_DATABASE" placeholder:"URL"`
	SecretFile string `help:"File with the server secret. Every node of an installation needs the same. Default: secret.json in the data folder." env:"KEYWRIGHT_SECRET_FILE" placeholder:"FILE"`
	LogLevel   string `help:"From which level on something is logged: debug, info, warn or error." default:"info" enum:"debug,info,warn,error" env:"KEYWRIGHT_LOG_LEVEL"`
	LogFormat  string `help:"Form of the log on standard error: text or json." default:"text" enum:"text,json" env:"KEYWRIGHT_LOG_FORMAT"`
}

func (s storage) config() app.Config {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	return app.Config{
		Data: s.Data, Database: s.Database, SecretFile: s.SecretFile, LogLevel: levels[s.LogLevel], LogFormat: s.LogFormat,
		Listen: "127.0.0.1:8080", ShutdownTimeout: 10 * time.Second, Version: versionText(),
	}
}

// letters says what mails look like.
type letters struct {
	MailTemplates string `help:"Folder with templates of mails. Each takes the place of the built-in one of its name. Default: none." env:"KEYWRIGHT_MAIL_TEMPLATES" type:"existingdir" placeholder:"DIR"`
	PortalURL     string `help:"URL that mails link to. {id} in it stands for the id of the key set or the request. Default: mails have no links." name:"portal-url" env:"KEYWRIGHT_PORTAL_URL" placeholder:"URL"`
}

func (l letters) config() app.Mail {
	return app.Mail{Templates: l.MailTemplates, PortalURL: l.PortalURL}
}

// post says how mails are sent.
type post struct {
	letters
	MailFrom         string `help:"Address that mails are from, with a name or without." default:"Keywright <keywright@localhost>" env:"KEYWRIGHT_MAIL_FROM" placeholder:"ADDRESS"`
	MailEnvelopeFrom string `help:"Address that undeliverable mails come back to. Default: that of --mail-from." env:"KEYWRIGHT_MAIL_ENVELOPE_FROM" placeholder:"ADDRESS"`
	SMTPHost         string `help:"Mail server. Default: none; mails are files in the folder mail of the data folder." name:"smtp-host" env:"KEYWRIGHT_SMTP_HOST" placeholder:"HOST"`
	SMTPPort         int    `help:"Port of the mail server." name:"smtp-port" default:"587" env:"KEYWRIGHT_SMTP_PORT"`
	SMTPTLS          string `help:"Encryption: starttls (required, not tried), implicit from the first byte, or none." name:"smtp-tls" default:"starttls" enum:"starttls,implicit,none" env:"KEYWRIGHT_SMTP_TLS"`
	SMTPUser         string `help:"User at the mail server. The password is in the variable KEYWRIGHT_SMTP_PASSWORD or in a file. Default: without authentication." name:"smtp-user" env:"KEYWRIGHT_SMTP_USER" placeholder:"NAME"`
	SMTPPasswordFile string `help:"File with the password at the mail server. Default: the variable KEYWRIGHT_SMTP_PASSWORD." name:"smtp-password-file" env:"KEYWRIGHT_SMTP_PASSWORD_FILE" type:"existingfile" placeholder:"FILE"`
}

// smtpPassword is the variable with the password. It is no flag: command lines are seen by everybody on the machine.
const smtpPassword = "KEYWRIGHT_SMTP_PASSWORD"

func (p post) config() (app.Mail, error) {
	m := p.letters.config()
	m.From, m.EnvelopeFrom = p.MailFrom, p.MailEnvelopeFrom
	m.SMTPHost, m.SMTPPort, m.SMTPTLS, m.SMTPUser = p.SMTPHost, p.SMTPPort, p.SMTPTLS, p.SMTPUser
	m.SMTPPassword = secret.NewText(os.Getenv(smtpPassword))
	if p.SMTPPasswordFile != "" {
		password, err := os.ReadFile(p.SMTPPasswordFile)
		if err != nil {
			return m, fmt.Errorf("smtp-password-file: %w", err)
		}
		m.SMTPPassword = secret.NewText(strings.TrimRight(string(password), "\r\n"))
	}
	return m, nil
}

type serve struct {
	storage
	post
	Listen          string        `help:"Where to listen. Default: 127.0.0.1:8080." default:"127.0.0.1:8080" env:"KEYWRIGHT_LISTEN" placeholder:"HOST:PORT"`
	ListenGRPC      string        `help:"Where to listen for Envoy: its external authorization service over gRPC. Default: nowhere." name:"listen-grpc" env:"KEYWRIGHT_LISTEN_GRPC" placeholder:"HOST:PORT"`
	Redis           string        `help:"URL of a Redis that all nodes share: redis://, rediss://, redis+sentinel:// or redis+cluster://. Default: none; then there may be one node only." env:"KEYWRIGHT_REDIS" placeholder:"URL"`
	AllowedOrigins  []string      `help:"Origins whose pages may open WebSockets, besides the server's own." env:"KEYWRIGHT_ALLOWED_ORIGINS" placeholder:"ORIGIN"`
	Introspection   bool          `help:"Whether clients may ask for the schema. The query IDE needs it." default:"true" negatable:"" env:"KEYWRIGHT_INTROSPECTION"`
	Issuer          string        `help:"URL that OAuth clients and services behind gateways know the server by, the same on every node. Default: http:// and the address it listens on." env:"KEYWRIGHT_ISSUER" placeholder:"URL"`
	TokenLifetime   time.Duration `help:"How long an access token lives at most." default:"5m" env:"KEYWRIGHT_TOKEN_LIFETIME"`
	ShutdownTimeout time.Duration `help:"How long requests and streams may take to end." default:"10s" env:"KEYWRIGHT_SHUTDOWN_TIMEOUT"`
}

// collectAt is by how many percent memory may grow before it is collected, unless GOGC says otherwise. What a validation
// leaves behind is little, and there are very many: collecting less often is worth the memory.
const collectAt = 300

func (s *serve) Run(ctx context.Context, out io.Writer) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	c := s.storage.config()
	c.ListenGRPC = s.ListenGRPC
	c.Listen, c.Redis, c.AllowedOrigins, c.Introspection, c.ShutdownTimeout = s.Listen, s.Redis, s.AllowedOrigins, s.Introspection, s.ShutdownTimeout
	c.Issuer, c.TokenLifetime = s.Issuer, s.TokenLifetime
	var err error
	if c.Mail, err = s.post.config(); err != nil {
		return err
	}
	return app.Run(ctx, c, out)
}

type migrate struct{ storage }

func (m *migrate) Run(ctx context.Context, out io.Writer) error {
	return app.Migrate(ctx, m.config(), out)
}

type seed struct {
	storage
	File  string `arg:"" optional:"" help:"YAML file with the data. Default: the built-in sample, which --print shows." type:"existingfile"`
	Print bool   `help:"Print the built-in sample instead, to start a file of your own from."`
}

func (s *seed) Run(ctx context.Context, out io.Writer) error {
	if s.Print {
		_, err := out.Write(app.SampleData())
		return err
	}
	return app.Seed(ctx, s.config(), s.File, out)
}

type audit struct {
	Verify verify `cmd:"" help:"Prove by its chain of hashes that the event log is what was written."`
}

type verify struct{ storage }

func (v *verify) Run(ctx context.Context, out io.Writer) error {
	return app.VerifyAudit(ctx, v.config(), out)
}

type mail struct {
	Preview preview  `cmd:"" help:"Show what a mail looks like, with made-up content."`
	Test    mailTest `cmd:"" help:"Send one mail as the server would, and say what happens."`
}

type mailTest struct {
	post
	Data    string `help:"Folder of the server's data, where mails are files if there is no mail server. Default: ./data." default:"./data" env:"KEYWRIGHT_DATA" placeholder:"DIR"`
	Address string `arg:"" help:"Whom to send it to, such as ada@example.com."`
}

func (t *mailTest) Run(ctx context.Context, out io.Writer) error {
	settings, err := t.config()
	if err != nil {
		return err
	}
	return app.TryMail(ctx, t.Address, t.Data, settings, out)
}

type preview struct {
	letters
	Kind string `arg:"" optional:"" help:"Kind of mail, such as key-set-expiring. Default: all."`
	HTML bool   `help:"Show the HTML instead of the text." name:"html" xor:"form"`
	Text bool   `help:"Show the text. This is the default." name:"text" xor:"form"`
}

func (p *preview) Run(out io.Writer) error {
	return app.PreviewMail(p.Kind, p.HTML, p.config(), out)
}

type version struct{}

func (version) Run(out io.Writer) error {
	_, err := fmt.Fprintln(out, "keywright", versionText())
	return err
}

// versionText is the version of the module, or of the commit that the binary was built from.
func versionText() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (text == "" || text == "(devel)") {
			text = s.Value
		}
	}
	if text == "" || text == "(devel)" {
		return "development"
	}
	return text
}

// run parses the command line, runs the command and returns the exit code: 0, 1 when the
// command failed, 2 when the command line makes no sense.
func run(args []string, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var cl commandLine
	exited := -1
	parser, err := kong.New(&cl,
		kong.Name("keywright"), kong.Description("The server for the life of API credentials."),
		kong.Writers(out, errOut), kong.Exit(func(code int) { exited = code }), kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.BindTo(out, (*io.Writer)(nil)),
	)
	if err == nil {
		err = readConfigFile(parser, args)
	}
	if err != nil {
		_, _ = fmt.Fprintln(errOut, "keywright:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help
	}
	if err != nil {
		_, _ = fmt.Fprintln(errOut, "keywright:", err)
		return 2
	}
	if err := parsed.Run(); err != nil {
		_, _ = fmt.Fprintln(errOut, "keywright:", err)
		return 1
	}
	return 0
}

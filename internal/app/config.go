package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Config is all that an operator can set. The zero value of a member is not its default; the
// command line fills them in.
type Config struct {
	Data            string        // folder of what the server keeps: database, secret file, first administrator's key
	Listen          string        // host and port
	ListenGRPC      string        // host and port of the service that Envoy asks; empty: none
	Database        string        // postgres://…; empty: SQLite in the data folder
	Redis           string        // redis://…, rediss://…, redis+sentinel://…, redis+cluster://…; empty: none
	SecretFile      string        // empty: secret.json in the data folder
	AllowedOrigins  []string      // whose pages may open WebSockets besides the server's own
	Introspection   bool          // whether the schema can be asked for
	LogLevel        slog.Level    // from which level on something is logged
	LogFormat       string        // text or json
	ShutdownTimeout time.Duration // how long requests and streams may take to end
	Issuer          string        // URL that clients know the server by; empty: that of the address it listens on
	TokenLifetime   time.Duration // of access tokens; 0: five minutes
	Mail            Mail          // how people are told of things

	Version string // of the binary, for people

	// LoadTimeout is how long a validation may wait for the database; 0: as package validate says. Tests on machines that
	// are busy with other tests wait longer.
	LoadTimeout time.Duration
	// ScanEvery is how often the server looks for what is due; 0: every second. Below 0 it does not look by itself, only when
	// Tick is called, by tests that hold the clock.
	ScanEvery time.Duration
	// Now is the clock; null: that of the machine, set right by that of PostgreSQL. Tests hold it.
	Now func() time.Time
	// Machine is the machine's clock; null: it is read. Tests set it wrong.
	Machine func() time.Time
	// Logs is where logs go; null: standard error.
	Logs io.Writer
	// Trace is told each statement that reads the database outside of transactions; null: nobody. Tests count them.
	Trace func(statement string)
}

// check refuses nonsense before anything is touched.
func (c *Config) check() error {
	if c.Data == "" {
		return errors.New("data: a folder is needed")
	}
	if err := checkAddress("listen", c.Listen); err != nil {
		return err
	}
	if c.ListenGRPC != "" {
		if err := checkAddress("listen-grpc", c.ListenGRPC); err != nil {
			return err
		}
	}
	if err := checkURL("database", c.Database, "postgres", "postgresql"); err != nil {
		return err
	}
	if err := checkURL("redis", c.Redis, "redis", "rediss", "unix", "redis+sentinel", "redis+cluster"); err != nil {
		return err
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return fmt.Errorf("log-format: %q is neither text nor json", c.LogFormat)
	}
	if err := checkIssuer(c.Issuer); err != nil {
		return err
	}
	if c.TokenLifetime != 0 && (c.TokenLifetime < time.Second || c.TokenLifetime > time.Hour) {
		return errors.New("token-lifetime: must be from 1s to 1h")
	}
	if err := c.Mail.check(); err != nil {
		return err
	}
	if c.ShutdownTimeout <= 0 {
		return errors.New("shutdown-timeout: must be longer than zero")
	}
	return nil
}

func checkAddress(name, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%s: %q is not HOST:PORT, such as 127.0.0.1:8080", name, address)
	}
	return nil
}

// checkURL refuses a URL of another scheme. The URL itself is not repeated: it may hold a password.
func checkURL(name, value string, schemes ...string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil {
		return fmt.Errorf("%s: not a URL", name)
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return nil
		}
	}
	return fmt.Errorf("%s: the URL must begin with %s://", name, strings.Join(schemes, ":// or "))
}

// checkIssuer refuses what RFC 8414, section 2, does not allow. Plain HTTP is left to whoever ends TLS in front.
func checkIssuer(value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.ContainsAny(value, "?#") || strings.HasSuffix(value, "/") {
		return errors.New("issuer: must be a URL such as https://keys.example.com, without query, fragment and slash at the end")
	}
	return nil
}

// isEmbedded reports whether the database is SQLite in the data folder.
func (c *Config) isEmbedded() bool { return c.Database == "" }

func (c *Config) databaseURL() string {
	if c.isEmbedded() {
		return "sqlite:" + c.databaseFile()
	}
	return c.Database
}

func (c *Config) databaseFile() string { return filepath.Join(c.Data, "keywright.db") }

func (c *Config) secretFile() string {
	if c.SecretFile != "" {
		return c.SecretFile
	}
	return filepath.Join(c.Data, "secret.json")
}

// AdminKeyFile is where the first start writes the administrator's key.
func (c *Config) AdminKeyFile() string { return filepath.Join(c.Data, "admin.key") }

func (c *Config) now() func() time.Time {
	if c.Now != nil {
		return c.Now
	}
	if c.Machine != nil {
		return c.Machine
	}
	return machineTime
}

func (c *Config) logger() *slog.Logger {
	out := c.Logs
	if out == nil {
		out = os.Stderr
	}
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

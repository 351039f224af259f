// Package app wires the server together and runs it, and the tools around it.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/keywright/keywright/internal/httpapi"
	"github.com/keywright/keywright/internal/lifecycle"
	"github.com/keywright/keywright/internal/manage"
)

// Run runs the server until ctx ends, and tells people on out where to go.
func Run(ctx context.Context, c Config, out io.Writer) error {
	s, err := Start(ctx, c)
	if err != nil {
		return err
	}
	s.greet(out)
	select {
	case <-ctx.Done():
		_, _ = fmt.Fprintln(out, "Stopping.")
	case err = <-s.failed:
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.ShutdownTimeout)
	defer cancel()
	return errors.Join(err, s.Shutdown(ending))
}

// greet prints what somebody who just started the server wants to know.
func (s *Server) greet(out io.Writer) {
	line := func(what, where string) { _, _ = fmt.Fprintf(out, "  %-12s %s\n", what, where) }
	_, _ = fmt.Fprintln(out, "Keywright", s.config.Version, "is running.")
	line("Graph", s.URL()+"/graphql")
	line("Query IDE", s.URL()+"/")
	line("Validation", s.URL()+"/v1/validate")
	line("Gateways", s.URL()+httpapi.AuthorizePath)
	if address := s.GRPCAddress(); address != "" {
		line("Envoy", address)
	}
	line("Data", s.config.Data)
	if s.adminKey != "" {
		line("First start", "the administrator's key is "+s.adminKey)
		line("", "It is shown only now, and kept in "+s.config.AdminKeyFile()+".")
		line("", "For sample data run: keywright seed --data "+s.config.Data)
	}
}

// Migrate brings the database to the form that this version works with.
func Migrate(ctx context.Context, c Config, out io.Writer) error {
	if err := c.check(); err != nil {
		return err
	}
	o, err := open(ctx, c, toMigrate)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(out, "The database is up to date.")
	return o.store.Close()
}

// VerifyAudit proves that the event log is what was written, tenant by tenant. A database that was
// never written to proves nothing, and is probably another one than was meant: that is an error.
func VerifyAudit(ctx context.Context, c Config, out io.Writer) error {
	if err := c.check(); err != nil {
		return err
	}
	if _, err := os.Stat(c.databaseFile()); c.isEmbedded() && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database in %s: nothing to verify", c.Data)
	}
	o, err := open(ctx, c, toRead)
	if err != nil {
		return err
	}
	logs := 0
	err = o.store.VerifyLog(ctx, func(tenant lifecycle.TenantID, events int64) {
		logs++
		_, _ = fmt.Fprintf(out, "%s: %d events, unaltered\n", tenant, events)
	})
	switch tampered, ok := errors.AsType[*manage.LogTampered](err); {
	case ok && tampered.TenantID != "":
		err = fmt.Errorf("the event log of %s is not what was written, from event %d on: %w", tampered.TenantID, tampered.Sequence, err)
	case ok:
		err = fmt.Errorf("the event log is not what was written: %w", err)
	case err == nil && logs == 0:
		err = errors.New("the event log is empty: nothing to verify")
	}
	return errors.Join(err, o.store.Close())
}

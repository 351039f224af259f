package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/keywright/keywright/internal/app"
)

// serveProfiled is the main function of a Keywright that writes a CPU profile between two SIGUSR1. The real program has
// no door for that.
func serveProfiled(ctx context.Context, args []string, out io.Writer) error {
	c := app.Config{LogLevel: slog.LevelInfo, LogFormat: "text", ShutdownTimeout: 10 * time.Second, Version: "profiled", Introspection: true}
	flags := flag.NewFlagSet(partProfiled, flag.ContinueOnError)
	flags.StringVar(&c.Data, "data", "", "`folder`, as of keywright serve")
	flags.StringVar(&c.Listen, "listen", "", "`address`, as of keywright serve")
	flags.StringVar(&c.Database, "database", "", "`URL`, as of keywright serve")
	path := flags.String("profile", "", "`file` for the profile; a later one replaces an earlier one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- profileOnSignal(ctx, *path) }()
	err := app.Run(ctx, c, out)
	cancel()
	return errors.Join(err, <-done)
}

func profileOnSignal(ctx context.Context, path string) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	defer signal.Stop(signals)
	for isOn := false; ; isOn = !isOn {
		select {
		case <-ctx.Done():
			return nil
		case <-signals:
		}
		if isOn {
			pprof.StopCPUProfile() // writes the rest
			continue
		}
		file, err := os.Create(path)
		if err == nil {
			defer func() { _ = file.Close() }() // of all at the end: there are a few
			err = pprof.StartCPUProfile(file)
		}
		if err != nil {
			return err
		}
	}
}

// profile writes a CPU profile of each kind of work.
func (b *bench) profile(folder string) {
	b.must(os.MkdirAll(folder, 0o755))
	b.onBoth(func(b *bench, name string, make func() place) {
		here := make()
		path := filepath.Join(b.TempDir(), "cpu.pprof")
		server := b.administered(b.itself(), here.data, append([]string{partProfiled, "--profile", path}, here.flags...))
		scene := b.fill(server.Client)
		record := func(what string, load side) {
			load(b.round)
			b.must(server.command.Process.Signal(syscall.SIGUSR1))
			load(6 * b.round)
			b.must(server.command.Process.Signal(syscall.SIGUSR1))
			load(b.round / 3) // the file is whole when the signal was seen
			file := filepath.Join(folder, what+"-"+name+".pprof")
			b.must(os.Rename(path, file))
			b.printf("%s\n", file)
		}
		record("list", b.ask(server, "/graphql", `{"data":{"keySets"`, same(graphBody(listDocument, map[string]any{"first": listed}))))
		record("validate", b.ask(server, "/v1/validate", `"VALID"`, same(string(presented(scene.key, scene.slug)))))
		record("mutation", b.ask(server, "/graphql", `"userErrors":[]`, scene.moves()))
		commit := b.sender(server, "/graphql", `"userErrors":[]`, scene.others().moves())
		audience, _ := b.subscribed(server, commit)
		record("fan-out", audience.oneByOne(b, commit, nil))
	})
}

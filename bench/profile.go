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
	flags.StringVar(&c.Redis, "redis", "", "`URL`, as of keywright serve")
	flags.StringVar(&c.ListenGRPC, "listen-grpc", "", "`address`, as of keywright serve")
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

// profileOnSignal begins a profile with every other signal and ends it with the one after. The file appears when it is
// whole.
func profileOnSignal(ctx context.Context, path string) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	defer signal.Stop(signals)
	var file *os.File
	end := func() error {
		if file == nil {
			return nil
		}
		pprof.StopCPUProfile() // writes the rest
		err := errors.Join(file.Close(), os.Rename(file.Name(), path))
		file = nil
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return end()
		case <-signals:
		}
		var err error
		if file != nil {
			err = end()
		} else if file, err = os.Create(path + ".part"); err == nil {
			err = pprof.StartCPUProfile(file)
		}
		if err != nil {
			return err
		}
	}
}

// record profiles a server under load. The profile is at the path that the server was started with.
func (b *bench) record(server *process, path string, load side) sample {
	_ = os.Remove(path) // of the one before
	b.must(server.command.Process.Signal(syscall.SIGUSR1))
	s := load(6 * b.round)
	b.must(server.command.Process.Signal(syscall.SIGUSR1))
	for range 200 {
		if _, err := os.Stat(path); err == nil {
			return s
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Fatalf("the server wrote no profile\n%s", tail(server.logged()))
	return s
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
			b.record(server, path, load)
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

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// costs name what a stack of calls is about, by a part of the name of its innermost frame that says so; ^ stands for the
// start of the name. What allocates or copies on the way belongs to the one who asked for it.
var costs = []struct {
	name  string
	parts []string
}{
	{"system calls and polling", []string{"Syscall6", "syscall.Syscall", "runtime.netpoll", "runtime.futex", "runtime.usleep", "internal/poll."}},
	{"collecting garbage", []string{"runtime.gcBgMarkWorker", "runtime.gcAssist", "runtime.bgsweep", "runtime.bgscavenge"}},
	{"scheduler, timers", []string{"runtime.schedule", "runtime.findRunnable", "runtime.mcall", "runtime.park_m", "runtime.ready", "runtime.mstart", "^time.", "runtime.goexit0"}},
	{"keyed hash", []string{"crypto/", "internal/secret.(*mac)", "internal/secret.(*Keyring)"}},
	{"form and checksum", []string{"internal/secret."}},
	{"judging", []string{"lifecycle.Judge"}},
	{"counters, uses, metrics", []string{"prometheus", "validate.(*Uses)", "validate.(*counts)", "internal/usage", "httpapi.(*Metrics)"}},
	{"token of the gateway", []string{"manage.(*Authenticator)", "internal/access.", "httpapi.Bearer", "internal/manage.", "Validate).caller", "Service).Gateway"}},
	{"shared state, Redis", []string{"internal/shared.", "go-redis", "app/projection.", "validate.(*breaker)", "validate.decode", "validate.unmarshal"}},
	{"limits, assertions", []string{"internal/limit", "internal/signing", "go-jose"}},
	{"lookup, lease", []string{"internal/validate.", "internal/live.", "singleflight"}},
	{"JSON of the request", []string{"encoding/json", "strictjson", "httpapi.scan", "httpapi.readQuestions", "httpapi.decode", "httpapi.readBody", "unicode/utf8"}},
	{"log", []string{"log/slog"}},
	{"routing", []string{"net/http.(*ServeMux)", "net/http.(*routing"}},
	{"answer, own code of the door", []string{"internal/httpapi.", "internal/authorize.", "internal/app."}},
	{"plain HTTP", []string{"internal/plainhttp."}},
	{"net/http", []string{"net/http.", "net/textproto", "^bufio.", "^net.", "net/url", "^context."}},
}

const elsewhere = "runtime, other"

// measureWhere profiles a server in this program while it answers, and shares its processor time out: first for keys that
// are in Redis, each once, then for one key again and again, at both doors.
func measureWhere(b *bench) {
	b.group(func(b *bench) {
		s := b.site(b.issued)
		all := &supply{site: s, keys: s.keys}
		all.limit.Store(int64(len(s.keys)))
		b.askOver(b.connections, s.node, s.validates("VALID", all.next))(b.bound) // now Redis has them
		s.node.stop()
		path := filepath.Join(b.TempDir(), "cpu.pprof")
		server := b.administered(b.itself(), s.data, append([]string{partProfiled, "--profile", path}, s.flags...))
		near := b.askOver(b.connections, server, s.validates("VALID", same(string(s.presents(s.good)))))
		near(b.round)
		once := &supply{site: s, keys: s.keys}
		once.limit.Store(int64(len(s.keys)))
		b.where("Redis hit", path, b.record(server, path, b.askOver(b.connections, server, s.validates("VALID", once.next))))
		near(b.round)
		b.where("near hit", path, b.record(server, path, near))
		authorize := b.askOver(b.connections, server, s.authorizes(s.good))
		authorize(b.round)
		b.where("near hit at /v1/authorize", path, b.record(server, path, authorize))
		many := b.askOver(b.connections, server, s.validates("VALID", same(string(s.batch(s.keys[:batchSize])))))
		many(b.round)
		b.where(fmt.Sprintf("%d near hits at once", batchSize), path, b.record(server, path, many))
	})
}

func (b *bench) where(what, path string, s sample) {
	shares, total := b.shares(path)
	section := fmt.Sprintf("%s: where the processor time goes, of %d validations", what, s.operations)
	names := slices.SortedFunc(maps.Keys(shares), func(x, y string) int { return int(shares[y] - shares[x]) })
	each := func(d time.Duration) string {
		return fmt.Sprintf("%5.2f µs  %4.1f %%", float64(d.Microseconds())/float64(s.operations), 100*float64(d)/float64(total))
	}
	for _, name := range names {
		b.figure(section, name, each(shares[name]))
	}
	b.figure(section, "all", each(total))
}

// shares adds up the samples of a profile.
func (b *bench) shares(path string) (shares map[string]time.Duration, total time.Duration) {
	command := exec.CommandContext(b.ctx, "go", "tool", "pprof", "-traces", path)
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		b.Fatalf("%v: %v\n%s", command.Args, err, &problems)
	}
	shares = map[string]time.Duration{}
	var took time.Duration
	var frames []string
	end := func() {
		if took > 0 {
			shares[cost(frames)] += took
			total += took
		}
		took, frames = 0, nil
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if strings.HasPrefix(lines.Text(), "-----") || len(fields) == 0 {
			end()
			continue
		}
		if d, err := time.ParseDuration(fields[0]); err == nil && len(fields) > 1 && took == 0 {
			took, fields = d, fields[1:]
		}
		frames = append(frames, fields[0])
	}
	end()
	if total == 0 {
		b.Fatal("the profile is empty")
	}
	return shares, total
}

// cost is the name of the innermost frame that says what it is about.
func cost(frames []string) string {
	for _, frame := range frames {
		for _, c := range costs {
			if slices.ContainsFunc(c.parts, func(part string) bool { return strings.Contains("^"+frame, part) }) {
				return c.name
			}
		}
	}
	return elsewhere
}

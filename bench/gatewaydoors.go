package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/keywright/keywright/internal/testenv"
)

// asked are the doors that gateways ask at, beside a bare handler that answers a GET with an empty body.
func (s *site) asked(b *bench, bare *process) {
	baseline := b.askOver(b.connections, bare, question{method: "GET", path: "/bare"})
	if b.wants("authorize") {
		b.compare("/v1/authorize: near hit", baseline, b.askOver(b.connections, s.node, s.authorizes(s.good)), goalAuthorize)
	}
	if b.wants("grpc") {
		b.compare("ext_authz over gRPC: near hit", baseline, b.askOver(b.connections, s.node.forEnvoy(), s.checks(s.good)))
	}
	if b.wants("nginx") {
		b.throughNGINX(s, bare)
	}
}

// throughNGINX sends calls to an application behind nginx, which asks Keywright about each of them, or the bare handler.
func (b *bench) throughNGINX(s *site, bare *process) {
	application := b.start(b.itself(), partBare)
	call := question{method: "GET", path: "/bare", headers: "X-Api-Key: " + s.good + "\r\n"}
	through := func(authority *process) side {
		front := *authority // whose processor time counts
		front.URL = "http://" + s.nginx(b, authority, application)
		front.Key = ""
		return b.askOver(b.connections, &front, call)
	}
	b.compare("through nginx with auth_request", through(bare), through(s.node))
}

// nginx runs with the configuration of the documentation.
func (s *site) nginx(b *bench, authority, application *process) string {
	const documented = "docs/gateways/nginx/nginx.conf"
	text, err := os.ReadFile(documented)
	if err != nil {
		b.Fatalf("run the benchmarks in the root of the project: %v", err)
	}
	folder := b.TempDir()
	b.must(os.Chmod(folder, 0o755)) // nginx' workers run under another account
	return testenv.Gateway{Program: "nginx", Package: "nginx", Ready: "start worker process"}.Start(b, func(port int) ([]string, error) {
		config := strings.NewReplacer(
			"127.0.0.1:8080", strings.TrimPrefix(authority.URL, "http://"), "127.0.0.1:9000", strings.TrimPrefix(application.URL, "http://"),
			"127.0.0.1:8000", fmt.Sprintf("127.0.0.1:%d", port), "kwg_TOKEN", s.token, "api_ID", string(s.api),
			"error_log stderr warn", "error_log stderr notice", // that it runs, is a notice
			"access_log off;", "access_log off; keepalive_requests 1000000000;", // the load keeps its connections
		).Replace(string(text))
		file := filepath.Join(folder, "nginx.conf")
		return []string{"-p", folder, "-c", file, "-g", "daemon off;"}, os.WriteFile(file, []byte(config), 0o600)
	})
}

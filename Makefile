# Everything that is done to Keywright from a shell. `make` lists it.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-print-directory

tool := go tool -modfile=tools/go.mod

# Arguments for `make run` (ARGS="--listen 127.0.0.1:9000"), `make unit` (PKG=./internal/store/...) and
# `make bench` (BENCH="-quick -run near,redis").
ARGS  ?=
PKG   ?= ./...
BENCH ?=
# `make faults` takes about 30 minutes and writes the table of docs/faults.md; FAULTS=quick three, and writes nothing.
FAULTS ?= full

.PHONY: help
help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# C is left out: running must need nothing but Go.
.PHONY: run
run: export CGO_ENABLED := 0
run: ## start the server on SQLite in ./data (ARGS="…" are its flags)
	@go run ./cmd/keywright serve $(ARGS)

.PHONY: seed
seed: export CGO_ENABLED := 0
seed: ## add sample data to ./data, while the server runs or before
	@go run ./cmd/keywright seed $(ARGS)

.PHONY: build
build: export CGO_ENABLED := 0
build: ## build bin/keywright
	go build -trimpath -o bin/keywright ./cmd/keywright

.PHONY: generate
generate: ## write graph/internal/gen anew from schema.graphqls and gqlgen.yml
	go tool gqlgen generate

.PHONY: verify
verify: ## fail when the generated code is out of date
	@tools/verify

# One recipe and not a list of prerequisites: the order holds under -j, and the output ends with go test's own.
.PHONY: test
test: ## everything that must hold before a change is merged
	@$(MAKE) deps
	@$(MAKE) verify
	@$(MAKE) lint
	@$(MAKE) npm
	@$(MAKE) unit

.PHONY: deps
deps: ## install what the tests need, or say what is missing
	@tools/deps

.PHONY: lint
lint: ## golangci-lint; .golangci.yml says what and why
	$(tool) golangci-lint run --allow-parallel-runners ./...

.PHONY: npm
npm: ## install the packages that the conformance suites need
	cd test/conformance && npm ci --no-audit --no-fund

# The race detector leaves SQLite out: it is C that was translated to Go, each connection used by one goroutine at a time,
# and takes six times as long when every access of its own is checked.
UNCHECKED = -gcflags=modernc.org/...=-race=false

.PHONY: unit
unit: ## the Go tests, with the race detector, on real PostgreSQL and Redis (PKG=…)
	go run ./internal/testenv/cmd/withservers -- go test -race $(UNCHECKED) -timeout 20m $(PKG)

.PHONY: faults
faults: ## kill, hang, cut off and slow down what runs, and judge what is answered; docs/faults.md
ifeq ($(FAULTS),quick)
	FAULTS=quick go test -count 1 -v -timeout 15m ./test/faults
else
	KEYWRIGHT_FAULTS=1 FAULTS=full go test -count 1 -v -timeout 40m ./test/crash ./test/faults
endif

.PHONY: conformance
conformance: npm ## only the suites that nobody here wrote: HTTP audit, WebSocket and SSE clients, Relay, ESLint
	go test -count 1 -v ./test/conformance

.PHONY: bench
bench: ## the benchmarks, as ratios to a bare handler (BENCH=… are their flags); docs/performance.md
	go run ./bench $(BENCH)

.PHONY: fmt
fmt: ## format the hand-written Go files
	@git ls-files -co --exclude-standard '*.go' ':!graph/internal/gen' | xargs -r $(tool) gofumpt -w

# The data folder is not ours to clean.
.PHONY: clean
clean: ## remove what was built and downloaded here
	rm -rf bin test/conformance/node_modules web/ide/node_modules

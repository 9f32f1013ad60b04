# `make` alone tells what there is to run. Nothing needs to be installed but Go, git, make, bash and, for the race
# detector, gcc: all else is built from Go modules into a cache outside the tree (KONGDAO_CACHE moves it).

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
IMAGE ?= kongdao.io/kongdao:$(VERSION)
FUZZTIME ?= 30s
COUNT ?= 6
KEEP ?=
TESTFLAGS ?=

# The version is stamped below. Go's own stamping, besides, fails where git will not read a checkout of another user's.
export GOFLAGS := $(strip $(shell go env GOFLAGS) -buildvcs=false)

##@ Develop

.PHONY: help
help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/webhook and bin/kubectl-kongdao, static, with the version from git
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ ./cmd/webhook ./cmd/kubectl-kongdao

.PHONY: image
image: ## Make the webhook's image IMAGE, without a daemon, for `ctr images import` or `docker load` (GOARCH chooses the processor)
	@VERSION='$(VERSION)' hack/image/build.sh '$(IMAGE)'

.PHONY: demo
demo: ## See it work on a control plane of this machine's own (KEEP=1 leaves it running)
	@assets=$$(hack/kubernetes/build.sh); \
	KUBEBUILDER_ASSETS=$$assets KEEP='$(KEEP)' $(if $(wildcard hack/demo.sh),hack/demo.sh,go run ./hack/demo)

.PHONY: cluster-up
cluster-up: ## Bring up a real Kubernetes of one node on this Linux machine (needs root; use it by hack/cluster/in.sh COMMAND)
	@hack/cluster/up.sh

.PHONY: cluster-down
cluster-down: ## End it, leaving nothing behind
	@hack/cluster/down.sh

.PHONY: generate
generate: ## Make what is made of the API types and the Helm chart: copying code, CRDs, README.md, deploy/kustomize/base
	@hack/generate.sh

.PHONY: clean
clean: cluster-down ## Remove what was built in the tree (not the cache outside it)
	rm -rf bin out

##@ Check

.PHONY: test
test: ## Run all tests with the race detector, against a real API server (builds it, Helm and cert-manager first: 15 minutes, once)
	@hack/test.sh $(TESTFLAGS) ./...

.PHONY: test-unit
test-unit: ## Run the fast tests alone: pkg and cmd, no API server, no race detector
	go test $(TESTFLAGS) ./pkg/... ./cmd/...

.PHONY: e2e
e2e: ## Run the tests that need pods which really run, on the cluster (E2E_KUBECONFIG names another; KEEP=1 leaves ours up)
	@KEEP='$(KEEP)' hack/e2e.sh

.PHONY: lint
lint: ## Check Go code and modules, scripts, YAML, the Helm chart and what is made of it, without running them
	@hack/lint.sh

.PHONY: check-generate
check-generate: ## Fail when what is made of the API types and the Helm chart is stale, and show it
	@hack/generate.sh --check

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (30s)
	@hack/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: ## Measure the whole process in ratios (5 minutes), then the core COUNT times (6)
	@tools=$$(hack/tools/build.sh benchstat); assets=$$(hack/kubernetes/build.sh); mkdir -p out; \
	KUBEBUILDER_ASSETS=$$assets go test -run '^$$' -bench . -timeout 60m -v ./test/bench; \
	go test -run '^$$' -bench . -benchmem -count $(COUNT) -timeout 60m ./pkg/... | grep -v '^ok\|no test files' | tee out/bench.txt >/dev/null; \
	"$$tools/benchstat" out/bench.txt

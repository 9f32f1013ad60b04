# `make` lists all targets. You need Go, git, make and bash, and gcc and g++ for `make test` and `make lint`. All other
# programs are built from Go modules into a cache outside the tree. Set KONGDAO_CACHE to move the cache.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
IMAGE ?= kongdao.io/kongdao:$(VERSION)
FUZZTIME ?= 30s
COUNT ?= 6
KEEP ?=
TESTFLAGS ?=

# The targets below set the version. Go must not read it from git too, because git fails in another user's checkout.
export GOFLAGS := $(strip $(shell go env GOFLAGS) -buildvcs=false)

##@ Develop

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/webhook, bin/controller and bin/kubectl-kongdao as static programs
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ \
		./cmd/webhook ./cmd/controller ./cmd/kubectl-kongdao
	@cp cmd/kubectl-kongdao/kubectl_complete-kongdao bin/
	@size=$$(wc -c <bin/kubectl-kongdao); ((size <= 60000000)) || \
		{ echo "bin/kubectl-kongdao has $$size bytes, more than 60 MB" >&2; exit 1; }

.PHONY: image
image: ## Build the image IMAGE as a file for `ctr images import` or `docker load` (set GOARCH to cross-build)
	@VERSION='$(VERSION)' hack/image/build.sh '$(IMAGE)'

.PHONY: demo
demo: ## Show kongdao on a local control plane (KEEP=1 keeps it running)
	@KUBEBUILDER_ASSETS=$$(hack/kubernetes/build.sh) KEEP='$(KEEP)' go run ./hack/demo

.PHONY: cluster-up
cluster-up: ## Start a Kubernetes cluster with one node on this Linux machine (as root); see hack/cluster/in.sh
	@hack/cluster/up.sh

.PHONY: cluster-down
cluster-down: ## Stop that cluster and delete its files
	@hack/cluster/down.sh

.PHONY: generate
generate: ## Write the generated files: deep-copy functions, CRDs, the chart's README.md, deploy/kustomize/base
	@hack/generate.sh

.PHONY: clean
clean: cluster-down ## Delete bin and out (not the cache outside the tree)
	rm -rf bin out

##@ Check

.PHONY: test
test: ## Run all tests with the race detector and a real API server (the first run builds programs for 15 minutes)
	@hack/test.sh $(TESTFLAGS) ./...

.PHONY: test-unit
test-unit: ## Run only the fast tests in pkg and cmd, without an API server and the race detector
	go test $(TESTFLAGS) ./pkg/... ./cmd/...

.PHONY: e2e
e2e: ## Run the tests in test/e2e on a cluster that runs pods (E2E_KUBECONFIG selects another one; KEEP=1 keeps it)
	@KEEP='$(KEEP)' hack/e2e.sh

.PHONY: lint
lint: ## Check Go code, modules, scripts, YAML, the Helm chart, generated files and language
	@hack/lint.sh

.PHONY: check-generate
check-generate: ## Fail if generated files are out of date, and show the differences
	@hack/generate.sh --check

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (30s)
	@hack/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: ## Run the benchmarks: the whole webhook (15 minutes), then the packages COUNT times (6)
	@tools=$$(hack/tools/build.sh benchstat); assets=$$(hack/kubernetes/build.sh); mkdir -p out; \
	KUBEBUILDER_ASSETS=$$assets go test -run '^$$' -bench . -timeout 60m -v ./test/bench; \
	go test -run '^$$' -bench . -benchmem -count $(COUNT) -timeout 60m ./pkg/... | \
		grep -v '^ok\|no test files' | tee out/bench.txt >/dev/null; \
	"$$tools/benchstat" out/bench.txt

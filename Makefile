# Myelin: `make run` shows it alive, `make test` proves it. Both do their own set-up.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export CGO_ENABLED := 0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/myelin
export MYELIN_CACHE ?= $(CACHE)
UI_SOURCES := $(shell find ui -type f -not -path '*/node_modules/*' -not -path 'ui/dist/*' 2>/dev/null)

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: check-tools
check-tools:
	@tools/check-tools.sh

ui/node_modules/.stamp: ui/package-lock.json | check-tools
	@echo "==> installing the UI's packages (npm ci)"
	@cd ui && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.stamp

ui/dist/app/index.html: ui/node_modules/.stamp $(UI_SOURCES)
	@echo "==> building the UI"
	@cd ui && npm run --silent build

.PHONY: build
build: check-tools ui/dist/app/index.html ## build bin/myelin
	@echo "==> building bin/myelin (the first time downloads Go modules)"
	@go build -ldflags "-X main.version=$(VERSION)" -o bin/myelin ./cmd/myelin

.PHONY: run
run: build ## set everything up and start the demo shop
	@exec bin/myelin demo --project examples/shop --data data/demo

.PHONY: setup-test
setup-test: build
	@tools/setup-test.sh

.PHONY: test
test: setup-test ## set everything up and run every test (at most 15 minutes)
	@tools/test.sh

.PHONY: soak
soak: setup-test ## long loops: crash seeds, kill -9 rounds; results go to docs/soak.md
	@tools/soak.sh

.PHONY: bench
bench: setup-test ## measure against the goals; results go to docs/benchmarks.md
	@tools/bench.sh

.PHONY: lint
lint: check-tools ## formatting, vet and the house rules
	@test -z "$$(gofmt -l cmd internal test tools ui/*.go 2>/dev/null | tee /dev/stderr)"
	@go vet ./...
	@go test ./internal/lint

.PHONY: fmt
fmt: ## format the Go code
	@gofmt -w cmd internal test tools ui/*.go

.PHONY: clean
clean: ## remove what was built (data folders stay)
	@rm -rf bin ui/dist/app ui/node_modules

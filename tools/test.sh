#!/usr/bin/env bash
# Runs every test: formatting, vet, UI, then Go (unit, fuzz corpora, end to end). Ends with the Go test runner's lines.
set -euo pipefail
cd "$(dirname "$0")/.."
export MYELIN_BIN=$PWD/bin/myelin

echo "==> formatting and vet"
unformatted=$(gofmt -l cmd internal test tools ui/*.go)
[ -z "$unformatted" ] || { echo "not formatted (run make fmt):"; echo "$unformatted"; exit 1; }
go vet ./...

echo "==> UI: types and unit tests"
(cd ui && npm run --silent check && npm run --silent test)

echo "==> Go: units, properties, crash tests and end to end"
exec go run ./tools/retest -within 14m ./...

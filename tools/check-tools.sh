#!/usr/bin/env bash
# Checks the two tools that cannot be installed by the project itself.
set -euo pipefail
fail() { echo "myelin: $1" >&2; echo "        $2" >&2; exit 1; }
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }

command -v go >/dev/null || fail "Go is not installed." "Install Go 1.26 or newer from your package manager or go.dev, then run make again."
go_version=$(go env GOVERSION | sed 's/^go//; s/[^0-9.].*//')
at_least "$go_version" 1.26 || fail "Go $go_version is too old." "Myelin needs Go 1.26 or newer."
command -v node >/dev/null || fail "Node.js is not installed." "Install Node.js 20 or newer (it builds the web UI), then run make again."
node_version=$(node --version | sed 's/^v//')
at_least "$node_version" 20 || fail "Node.js $node_version is too old." "Myelin needs Node.js 20 or newer."
command -v npm >/dev/null || fail "npm is not installed." "It comes with Node.js; on Debian it is the package npm."

#!/usr/bin/env bash
# The long loops: kill -9 rounds and thousands of simulated crashes. Writes docs/soak.md; ends with the test runner's lines.
set -euo pipefail
cd "$(dirname "$0")/.."
export MYELIN_BIN=$PWD/bin/myelin
export MYELIN_SOAK_ROUNDS=${MYELIN_SOAK_ROUNDS:-100} MYELIN_SOAK_SEEDS=${MYELIN_SOAK_SEEDS:-2000} MYELIN_SOAK_EVENTS=${MYELIN_SOAK_EVENTS:-1000000}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
go test -count=1 -timeout 3h -v -run 'Kill|Crash|Survive|PowerCut|Seeds|Random' \
  ./test/e2e ./internal/broker/... ./internal/trust/... ./internal/process/... ./test/cluster 2>&1 | tee "$log" | grep -E '^(=== RUN|--- |ok|FAIL|panic)' || status=$?
{
  echo "# Soak runs"
  echo
  echo "\`make soak\` writes this page. Last run on $(date -u +%Y-%m-%d): $MYELIN_SOAK_ROUNDS kill -9 rounds, $MYELIN_SOAK_SEEDS seeds of simulated crashes, $MYELIN_SOAK_EVENTS events of which one in twenty is broken, repaired and replayed."
  echo
  echo '```'
  grep -E '^(--- |ok |FAIL)|acknowledged|rounds, |queries, ' "$log" | sed 's/^ *//'
  echo '```'
} >docs/soak.md
grep -q '^FAIL' "$log" && exit 1
exit "$status"

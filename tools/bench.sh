#!/usr/bin/env bash
# Measures and writes the figures into docs/benchmarks.md. Let the machine be quiet meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
out=docs/benchmarks.md
table=$(mktemp) brokers=$(mktemp) collectors=$(mktemp)
trap 'rm -f "$table" "$brokers" "$collectors"' EXIT
seconds=${MYELIN_BENCH_SECONDS:-20}

echo "==> myelin bench ($seconds s a load)"
bin/myelin bench --seconds "$seconds" | tee "$table"

echo "==> the collector beside Apache Flume (about two minutes)"
go run ./bench/collectors | tee "$collectors"

echo "==> the broker beside Apache Kafka (about ten minutes)"
go run ./bench/brokers | tee "$brokers"
{
  cat <<TEXT
# Measured figures

\`make bench\` measures and writes this page: a running \`bin/myelin\` seen from outside, over HTTP on loopback, with the
process's own CPU seconds as the kernel counts them. The load generator runs on the same machine and takes its share of the
cores, so wall-clock rates are a floor; events per core-second are the number to compare.

Measured on $(date -u +%Y-%m-%d): $(nproc) cores ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n1)), $(awk '/MemTotal/ {printf "%.0f GiB", $2 / 1048576}' /proc/meminfo), Linux $(uname -r | cut -d- -f1), $(go env GOVERSION).

TEXT
  cat "$table"
  cat <<'TEXT'

How each is measured: `internal/bench`. *Cold start*: from `exec` on an empty folder to the first 200. *Idle*: after three
seconds, with a view over `events`. *Collector*: roles `log,collect`, 16 connections, batches of 100 order events of about
600 bytes, each checked against a plan and in the log after fdatasync before the answer. *Latency*: single events at a steady
rate; each is timed from when it was due until the row that it changed arrives over server-sent events.

## The collector beside another

`bench/collectors`: both take batches of 100 order events over HTTP on loopback and have each batch on disk by a sync before they answer.
Myelin (`--roles log,collect`) also checks each event against a plan. The peer is Apache Flume from Maven Central, with its HTTP source and its
file channel at their defaults, one sync per transaction; it checks nothing and drops no repeats.

TEXT
  cat "$collectors"
  cat <<'TEXT'

Closer peers could not be had from package registries: Snowplow's collector is not on Maven Central
(`snowplow-stream-collector-http4s-core`), and Jitsu's (`github.com/jitsucom/jitsu/server`), RudderStack's and Redpanda Connect were not to be
had as Go modules.

## The broker beside Apache Kafka

`bench/brokers`: both brokers on this machine, the same client (franz-go: idempotent, acks=all, no compression, no linger), alternating
rounds, medians. Myelin (`--roles log`) has every record on disk by fdatasync before it acknowledges; Kafka by default does not, so the
last rows compare with `flush.messages=1` too. CPU is the broker's own, as the kernel counts it. Acks are timed from when a record was
due, so a stall counts in full.

TEXT
  cat "$brokers"
} >"$out"
echo "==> continuous SQL beside Flink, Kafka Streams and Spark (about 25 minutes; MYELIN_BENCH_QUICK=1: 8)"
go run ./bench/engines -doc "$out" ${MYELIN_BENCH_QUICK:+-quick}
echo "==> written to $out"
echo "==> rehearsing how soon faults are found (docs/detection.md)"
MYELIN_SOAK_SEEDS="${MYELIN_SOAK_SEEDS:-20}" MYELIN_DETECTION="$PWD/docs/detection.md" go test -count=1 -timeout 1h -run TestDetectionSeeds ./internal/trust/drill

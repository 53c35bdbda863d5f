#!/usr/bin/env bash
# Installs what the tests drive Myelin with: real clients, a browser and servers to compare with. Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${MYELIN_CACHE:?run this through make}
mkdir -p "$cache"

root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

packages=()
need() { command -v "$1" >/dev/null || packages+=("$2"); }
need kcat kcat
need psql postgresql-client
need chromium chromium
need mvn maven
need javac default-jdk-headless
need python3 python3-venv
need zip zip
[ -d /usr/lib/postgresql/15 ] || packages+=(postgresql-15)
if [ ${#packages[@]} -gt 0 ]; then
  echo "==> installing ${packages[*]} (apt)"
  root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive root apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

venv=$cache/python
if ! cmp -s test/sdk/requirements.txt "$venv/requirements.txt"; then
  echo "==> installing the Python clients (pip)"
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check -r test/sdk/requirements.txt
  cp test/sdk/requirements.txt "$venv/requirements.txt"
fi

for folder in test/sdk test/clients; do
  if ! cmp -s $folder/package-lock.json $folder/node_modules/.lock 2>/dev/null; then
    echo "==> installing the JavaScript clients of $folder (npm ci)"
    (cd $folder && npm ci --no-audit --no-fund --loglevel=error && cp package-lock.json node_modules/.lock)
  fi
done

echo "==> installing PostgreSQL's JDBC driver (Maven Central)"
test/clients/jdbc.sh fetch

echo "==> installing Apache Kafka (Maven Central), the cluster that the end-to-end test runs on too"
test/kafka/kafka.sh fetch

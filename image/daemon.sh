#!/usr/bin/env bash
# Runs a command with a Docker daemon: the one that answers, or one that ends with the command. The second needs root.
# Usage: image/daemon.sh COMMAND [ARGUMENT...]
# Without any, it skips with exit code 77, or with CI=true fails with 1.
set -euo pipefail

cannot() {
  if [ -n "${CI:-}" ]; then echo "$1 CI does not skip them." >&2; exit 1; fi
  echo "$1 Skipped." >&2
  exit 77
}

if docker info >/dev/null 2>&1; then exec "$@"; fi
[ "$(id -u)" = 0 ] \
  || cannot "The image tests need a Docker daemon, and this user cannot reach one: start Docker, or run them as root."
command -v dockerd >/dev/null \
  || cannot "The image tests need a Docker daemon: start Docker, or install the Debian package docker.io."

log=$(mktemp)
dockerd --storage-driver overlay2 >"$log" 2>&1 &
daemon=$!
stop() {
  kill "$daemon" 2>/dev/null || true
  wait "$daemon" 2>/dev/null || true
  rm -f "$log"
}
trap stop EXIT
trap 'exit 143' TERM INT
for _ in $(seq 1200); do
  if docker info >/dev/null 2>&1 || ! kill -0 "$daemon" 2>/dev/null; then break; fi
  sleep 0.1
done
docker info >/dev/null 2>&1 || { echo "The Docker daemon did not start:" >&2; tail "$log" >&2; exit 1; }
"$@"

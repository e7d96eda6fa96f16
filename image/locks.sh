#!/usr/bin/env bash
# Writes the two lock files of the image, with the versions of requirements.lock. Needs uv.
# Usage: image/locks.sh
set -euo pipefail
cd "$(dirname "$0")/.."
lock=(uv pip compile --quiet --generate-hashes --no-emit-index-url --universal --python-version 3.11 --no-header
      --constraint requirements.lock)
"${lock[@]}" pyproject.toml --output-file requirements-runtime.lock
# The build backend and what it needs, from the line of pyproject.toml that names it.
python3 -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"]))' \
  | "${lock[@]}" - --output-file requirements-build.lock

#!/usr/bin/env bash
# Builds the image of the demo's agent from the operator's image, which has the packages that it needs. Needs Docker.
# Usage: image/demo-agent.sh IMAGE NAME
set -euo pipefail
cd "$(dirname "$0")/.."
context=$(mktemp --directory)
trap 'rm -r "$context"' EXIT
chmod 755 "$context"
cp --recursive sandbox agent/agentrollouts_agent "$context"
docker build --quiet --tag "$2" --file - "$context" >/dev/null <<END
FROM $1
COPY . /src
ENV PYTHONPATH=/src
ENTRYPOINT ["python", "-m", "sandbox.agent"]
END

#!/usr/bin/env bash
# Saves the images that the node tests run, all made from the operator's image: a node needs them as one archive. Needs Docker.
# Usage: image/node.sh IMAGE ARCHIVE
set -euo pipefail
cd "$(dirname "$0")/.."
made=("$1")
variant() {  # variant NAME: reads a Dockerfile without its FROM line; its context has the demo agent
  local name=localhost/agentrollouts-$1:dev
  { echo "FROM $image"; cat; } | docker build --quiet --tag "$name" --file - "$context" >/dev/null
  made+=("$name")
}
image=$1
context=$(mktemp --directory)
chmod 755 "$context"
trap 'rm -r "$context"' EXIT
cp --recursive sandbox agent/agentrollouts_agent "$context"
variant pause <<<'ENTRYPOINT ["/usr/bin/sleep", "infinity"]'  # holds the namespaces of a pod, and is killed at its end
variant demo-agent <<'END'
COPY . /src
ENV PYTHONPATH=/src
ENTRYPOINT ["python", "-m", "sandbox.agent"]
END
# An image as others would build it: its user has no name.
variant nameless <<'END'
USER 0
RUN sed -i /65532/d /etc/passwd /etc/group
USER 65532:65532
END
mkdir -p "$(dirname "$2")"
docker save --output "$2" "${made[@]}"

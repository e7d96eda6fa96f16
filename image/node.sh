#!/usr/bin/env bash
# Saves the images that the node tests run, all made from the operator's image: a node needs them as one archive. Needs Docker.
# Usage: image/node.sh IMAGE ARCHIVE PROGRAM...; each program, such as Prometheus, gets an image of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
made=("$1")
variant() {  # variant NAME: reads a Dockerfile without its FROM line; its context has the agents
  { echo "FROM $image"; cat; } | docker build --quiet --tag "$1" --file - "$context" >/dev/null
  made+=("$1")
}
image=$1
context=$(mktemp --directory)
chmod 755 "$context"
trap 'rm -r "$context"' EXIT
cp --recursive agent/agentrollouts_agent "$context"
write='import pathlib, sys; from tests.docs.getting_started import write_files; write_files(pathlib.Path(sys.argv[1]))'
mkdir "$context/page"
python3 -c "$write" "$context/page"
variant localhost/agentrollouts-pause:dev <<<'ENTRYPOINT ["/usr/bin/sleep", "infinity"]'  # holds the namespaces of a pod, and is killed at its end
image/demo-agent.sh "$image" localhost/agentrollouts-demo-agent:dev
made+=(localhost/agentrollouts-demo-agent:dev)
# The agent of docs/getting-started.md, under the name that it has there. The operator's image has prometheus_client.
variant registry.example/order-agent:1 <<'END'
COPY agentrollouts_agent /src/agentrollouts_agent
COPY page/agent.py /src/
ENV PYTHONPATH=/src
ENTRYPOINT ["python", "/src/agent.py"]
END
# An image as others would build it: its user has no name.
variant localhost/agentrollouts-nameless:dev <<'END'
USER 0
RUN sed -i /65532/d /etc/passwd /etc/group
USER 65532:65532
END
for program in "${@:3}"; do
  cp "$program" "$context/program"
  file=$(basename "$program")
  variant "localhost/agentrollouts-${file%%-*}:dev" <<'END'
COPY program /program
ENTRYPOINT ["/program"]
END
done
mkdir -p "$(dirname "$2")"
docker save --output "$2" "${made[@]}"

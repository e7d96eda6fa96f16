#!/usr/bin/env bash
# Installs the chart with an image in a kind cluster, checks it, and plays the demo's story. Needs Docker, kind, kubectl and helm,
# and an image registry for kind's node, Traefik and Prometheus. Where none can be reached, NODE_IMAGE, GATEWAY_IMAGE and
# PROMETHEUS_IMAGE name images that Docker has, KIND_CONFIG the configuration of a cluster with the first, and GATEWAY_API a folder
# with the CRDs. tests/node runs the same checks and the same story without kind.
# Usage: image/kind.sh IMAGE; the cluster remains.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=agentrollouts
for command in docker kind kubectl helm; do
  command -v "$command" >/dev/null || { echo "make kind needs $command, which is not installed" >&2; exit 1; }
done
failed() {
  kubectl get pods --all-namespaces || true
  echo "make kind failed with these pods. The cluster remains; for a new one: kind delete cluster --name $cluster"
}
releases=https://github.com/kubernetes-sigs/gateway-api/releases/download
version=$(sed -n 's/.*sigs.k8s.io\/gateway-api \(v[0-9.]*\).*/\1/p' sandbox/parts/gatewayapi/go.mod)
if ! kind get clusters | grep -qx "$cluster"; then
  trap 'kind delete cluster --name "$cluster"' EXIT  # interrupted, it would be half made, and the next run would use it
  kind create cluster --name "$cluster" --wait 120s ${NODE_IMAGE:+--image "$NODE_IMAGE"} ${KIND_CONFIG:+--config "$KIND_CONFIG"}
  trap - EXIT
fi
export AGENT_IMAGE=localhost/agentrollouts-demo-agent:dev
image/demo-agent.sh "$1" "$AGENT_IMAGE"
kind load docker-image "$1" "$AGENT_IMAGE" ${GATEWAY_IMAGE:-} ${PROMETHEUS_IMAGE:-} --name "$cluster"
KUBECONFIG=$(mktemp)
export KUBECONFIG
trap '[ $? = 0 ] || failed >&2; rm -f "$KUBECONFIG"' EXIT
kind export kubeconfig --name "$cluster" --kubeconfig "$KUBECONFIG" --quiet
kubectl apply --server-side --filename "${GATEWAY_API:-$releases/$version/standard-install.yaml}" >/dev/null
# Of a run before this one: their pods would keep the image that had the same name then.
kubectl delete deployments --all --namespace agentrollouts --cascade=foreground >/dev/null
image/check.sh "$1"
image/story.sh
echo "The cluster is there for you: kubectl --context kind-$cluster get pods --all-namespaces"
echo "Remove it with: kind delete cluster --name $cluster"

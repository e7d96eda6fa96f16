#!/usr/bin/env bash
# Installs the chart with an image in a kind cluster, and checks it. Needs Docker, kind, kubectl and helm, and an image registry
# to fetch kind's node from. Where none can be reached, NODE_IMAGE names an image that Docker has, KIND_CONFIG the configuration of
# a cluster with it, and GATEWAY_API a folder with the CRDs. tests/node runs the same checks without kind.
# Usage: image/kind.sh IMAGE; the cluster remains.
set -euo pipefail
cd "$(dirname "$0")/.."
cluster=agentrollouts
for command in docker kind kubectl helm; do
  command -v "$command" >/dev/null || { echo "make kind needs $command, which is not installed" >&2; exit 1; }
done
releases=https://github.com/kubernetes-sigs/gateway-api/releases/download
version=$(sed -n 's/.*sigs.k8s.io\/gateway-api \(v[0-9.]*\).*/\1/p' sandbox/parts/gatewayapi/go.mod)
if ! kind get clusters | grep -qx "$cluster"; then
  kind create cluster --name "$cluster" --wait 120s ${NODE_IMAGE:+--image "$NODE_IMAGE"} ${KIND_CONFIG:+--config "$KIND_CONFIG"}
fi
kind load docker-image "$1" --name "$cluster"
KUBECONFIG=$(mktemp)
export KUBECONFIG
trap 'rm -f "$KUBECONFIG"' EXIT
kind export kubeconfig --name "$cluster" --kubeconfig "$KUBECONFIG" --quiet
kubectl apply --server-side --filename "${GATEWAY_API:-$releases/$version/standard-install.yaml}" >/dev/null
image/check.sh "$1"
echo "The cluster is there for you: kubectl --context kind-$cluster get pods --all-namespaces"
echo "Remove it with: kind delete cluster --name $cluster"

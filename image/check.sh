#!/usr/bin/env bash
# Checks a cluster: the chart with an image, two replicas under one Lease, a rollout, the loss of its leader, and the page.
# Usage: image/check.sh IMAGE, with kubectl and helm for the cluster. `make kind` and tests/node run it as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
. image/within.sh
name=agentrollouts examples=crds/examples/valid

leader() { kubectl get lease "$name" --namespace "$name" --output jsonpath='{.spec.holderIdentity}'; }
split() { kubectl get configmap triage-agent-traffic --namespace check --output jsonpath='{.data.split\.json}'; }
led_by_another() { local now; now=$(leader); [ -n "$now" ] && [ "$now" != "$before" ]; }

upgrade() {
  helm upgrade --install "$name" "charts/$name" --namespace "$name" --create-namespace --reset-then-reuse-values --wait \
    --timeout 120s "$@" >/dev/null
}
page() { kubectl get --raw "/api/v1/namespaces/$name/services/$name-dashboard:http/proxy/.healthz"; }

upgrade --set "image.repository=${1%:*}" --set "image.tag=${1##*:}" --set image.pullPolicy=Never
[ "$(kubectl get deployment "$name" --namespace "$name" --output jsonpath='{.status.readyReplicas}')" = 2 ]
echo "the chart is installed, and two replicas are Ready"

kubectl delete namespace check --ignore-not-found >/dev/null  # of a run that was interrupted
kubectl create namespace check >/dev/null
kubectl apply --namespace check --filename "$examples/release-minimal.yaml" --filename "$examples/rollout-configmap-only.yaml" >/dev/null
within 120 "a rollout has its traffic ConfigMap" split
weights=$(split) before=$(leader)

kubectl delete pod "$before" --namespace "$name" --wait=false >/dev/null
within 120 "the other replica leads after the leader's pod was deleted" led_by_another
kubectl rollout status deployment "$name" --namespace "$name" --timeout=120s >/dev/null
[ "$(split)" = "$weights" ]
echo "the weights are as they were"
kubectl delete namespace check --wait=false >/dev/null

upgrade --set dashboard.enabled=true --set 'dashboard.hosts={agentrollouts.example.com}'
within 120 "the page is served by a pod of its own" page

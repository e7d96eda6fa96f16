#!/usr/bin/env bash
# Plays the demo's story in a cluster with the chart: a gateway, Prometheus, customers, and agents as Deployments that mount their
# snapshots. 4.2.0 is bad, and is rolled back. Usage: AGENT_IMAGE=... image/story.sh, with kubectl and helm for the cluster and
# the image that image/demo-agent.sh builds. `make kind` and tests/node run it as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
. image/within.sh
name=agentrollouts rollout=agentrollout/support-agent
gateway_image=${GATEWAY_IMAGE:-traefik:v3.7.15} prometheus_image=${PROMETHEUS_IMAGE:-prom/prometheus:v3.15.0}

here() { kubectl --namespace support "$@"; }
field() { here get "$1" --output jsonpath="$2"; }
apply() {  # apply FILE NAME=VALUE...: with the values for the variables that it names
  local file=image/story/$1 pair edits=()
  shift
  for pair in "$@"; do edits+=(-e "s|\$${pair%%=*}|${pair#*=}|g"); done
  sed "${edits[@]}" -e '/^#/d' "$file" | kubectl apply --filename - >/dev/null
}
started() { here rollout status "deployment/$1" --timeout=120s >/dev/null; }
deploy() {  # deploy RELEASE: its agent runs once the operator has written its snapshot
  here apply --filename "sandbox/scenarios/$1.yaml" >/dev/null
  here wait "agentrelease/$1" --for=jsonpath='{.status.snapshot.name}' --timeout=120s >/dev/null
  snapshot=$(field "agentrelease/$1" '{.status.snapshot.name}')
  apply agent.yaml NAME="${1//./-}" RELEASE="$1" SNAPSHOT="$snapshot" IMAGE="$AGENT_IMAGE"
  started "${1//./-}"
}
get_path() {  # what a customer gets, seen from the pod of 4.1.0
  here exec deployment/support-agent-4-1-0 -- python -c "import urllib.request as web
print(web.urlopen(web.Request('http://$gateway:8000$1', headers={'Host': 'support.example.com'})).status)"
}
weighs() { [ "$(field httproute/support-agent '{.spec.rules[*].backendRefs[*].weight}')" = "$1" ]; }
is() { [ "$(field "$rollout" '{.status.conditions[?(@.type=="Ready")].reason}')" = "$1" ]; }
answered_by() { here logs customers --tail=1 | grep -q "\"$1\""; }

kubectl delete namespace support --ignore-not-found >/dev/null  # of a run before this one
apply services.yaml
gateway=$(field service/gateway '{.spec.clusterIP}') prometheus=$(field service/prometheus '{.spec.clusterIP}')
apply gateway.yaml IMAGE="$gateway_image"
apply prometheus.yaml IMAGE="$prometheus_image" \
  GOOD="$(field service/support-agent-4-1-0 '{.spec.clusterIP}')" BAD="$(field service/support-agent-4-2-0 '{.spec.clusterIP}')"
helm upgrade "$name" "charts/$name" --namespace "$name" --reset-then-reuse-values \
  --set "settings.prometheus[0].name=default,settings.prometheus[0].url=http://$prometheus:9090" >/dev/null
kubectl rollout restart "deployment/$name" --namespace "$name" >/dev/null  # a mounted ConfigMap can take 90 s to change
kubectl rollout status "deployment/$name" --namespace "$name" --timeout=120s >/dev/null
started gateway
started prometheus
echo "a gateway, Prometheus and the operator run"

deploy support-agent-4.1.0
[ "$(here exec deployment/support-agent-4-1-0 -- cat /bundle/bundle.json)" = "$(field "configmap/$snapshot" '{.data.bundle\.json}')" ]
echo "the pod of 4.1.0 reads its snapshot"
sed 's/watchSeconds: 40/watchSeconds: 10/' sandbox/demo/demo-rollout.yaml | here apply --filename - >/dev/null
within 120 "the gateway has the route of 4.1.0" get_path /healthz
apply customers.yaml IMAGE="$AGENT_IMAGE" GATEWAY="$gateway"
within 120 "4.1.0 answers the customers" answered_by support-agent-4.1.0
here wait "$rollout" --for=condition=Ready --timeout=120s >/dev/null

deploy support-agent-4.2.0
here patch "$rollout" --type=merge --patch '{"spec":{"releaseRef":{"name":"support-agent-4.2.0"}}}' >/dev/null
within 120 "4.2.0 gets 5%" weighs "95 5"
within 120 "4.2.0 gets nothing" weighs "100 0"
within 120 "4.2.0 is quarantined" is Quarantined
answered_by support-agent-4.2.0
if answered_by ""; then echo "customers without an answer: $(here logs customers --tail=1)" >&2; exit 1; fi
echo "every customer got an answer"

{{/*
What the operator may do, each verb with its reason. No wildcard, no Secrets, no escalate, bind or impersonate. Children go
by owner reference. Deleted are only a route that its rollout no longer needs, and a frozen traffic ConfigMap before it is written.
*/}}
{{- define "agentrollouts.rules" -}}
- apiGroups: [agentrollouts.dev]
  resources: [agentreleases, agentrollouts]
  verbs:
    - get    # the newest version before a write, after a conflict
    - list   # the start of every watch
    - watch  # the events that set a reconcile off
- apiGroups: [agentrollouts.dev]
  resources: [agentreleases/status, agentrollouts/status]
  verbs:
    - update  # status whole, with its resourceVersion; the spec belongs to people and Git and is never written
- apiGroups: [""]
  resources: [configmaps]
  verbs:
    - get     # content that a release refers to by name
    - list    # the start of the watch; by label, which RBAC cannot say
    - watch   # our snapshots and traffic objects, to put foreign writes right
    - create  # snapshots, and <rollout>-traffic
    - patch   # server-side apply: new weights, a further owner of a snapshot
    - delete  # a traffic ConfigMap that someone made immutable, in the very version that was seen
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs:
    - get     # what the route shows after a write
    - list    # the start of the watch
    - watch   # foreign writes to a route of ours, and to the weights in a route of a user
    - create  # the route that a rollout owns
    - patch   # its weights by server-side apply, those in a user's route by JSON patch
    - delete  # the owned route, once traffic.httpRoute is taken from the spec
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs:
    - list   # by service: has a release that is to get traffic a ready endpoint
    - watch  # those of stable and canary, while an attempt has traffic
- apiGroups: [""]
  resources: [events]
  verbs:
    - create  # what happened, once a change, after the status write
{{- end -}}

{{/* What kopf needs to find out which kinds and namespaces exist; only where all namespaces are looked after. */}}
{{- define "agentrollouts.discoveryRules" -}}
- apiGroups: [apiextensions.k8s.io]
  resources: [customresourcedefinitions]
  verbs:
    - list   # the start of the watch
    - watch  # CRDs that appear later, such as those of the Gateway API, are used without a restart
- apiGroups: [""]
  resources: [namespaces]
  verbs:
    - list   # the start of the watch
    - watch  # namespaces that appear later
{{- end -}}

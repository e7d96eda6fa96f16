{{/*
What the operator may do, each verb with its reason. No wildcard, no Secrets, no escalate, bind or impersonate. Children go
by owner reference. Deleted are only a route or FeatureFlag that its rollout no longer needs, a frozen traffic ConfigMap before it is written,
and old actions that are answered.
*/}}
{{- define "agentrollouts.rules" -}}
- apiGroups: [agentrollouts.dev]
  resources: [agentreleases, agentrollouts]
  verbs:
    - get    # the newest version before a write, after a conflict
    - list   # the start of every watch
    - watch  # the events that set a reconcile off
- apiGroups: [agentrollouts.dev]
  resources: [agentrolloutactions]
  verbs:
    - get     # whether an action that was taken still lacks its answer
    - list    # the start of the watch
    - watch   # what people request
    - create  # a dry run in the name of someone else, to see that it is refused; the policy `own-actions` permits no other
    - delete  # an answered one about an attempt that is no longer in status.history, in the very version that was seen
- apiGroups: [agentrollouts.dev]
  resources: [agentfreezes]
  verbs:
    - get    # the newest version after a conflict
    - list   # the start of the watch
    - watch  # what is frozen from this moment on
- apiGroups: [agentrollouts.dev]
  resources: [agentrolloutrecords]  # neither list nor watch: a record is found by its name
  verbs:
    - get     # what the record has, before entries are added
    - create  # the record of an attempt
    - update  # further entries, with its resourceVersion; the CRD permits no other change
    - delete  # the oldest one, by name, once an attempt ends
- apiGroups: [agentrollouts.dev]
  resources: [agentreleases/status, agentrollouts/status, agentrolloutactions/status, agentfreezes/status]
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
  resources: [httproutes, grpcroutes]
  verbs:
    - get     # what the route shows after a write
    - list    # the start of the watch
    - watch   # foreign writes to a route of ours, and to the weights in a route of a user
    - create  # the route that a rollout owns
    - patch   # its weights by server-side apply, those in a user's route by JSON patch
    - delete  # the owned route, once traffic.httpRoute or traffic.grpcRoute is taken from the spec
- apiGroups: [core.openfeature.dev]
  resources: [featureflags]
  verbs:
    - get     # whether the name is taken
    - list    # the start of the watch; by label, which RBAC cannot say
    - watch   # foreign writes to a FeatureFlag of ours
    - create  # the FeatureFlag of a rollout
    - patch   # its weights by server-side apply; the removal of fields that someone else added, by JSON patch
    - delete  # once traffic.featureFlag is taken from the spec
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

{{/*
What it takes to run a namespace's releases with `spec.workload`. Not bound: a namespace opts in with a RoleBinding
(docs/workloads.md). Who may create pods there may read what pods may read, so no one but the namespace's admin decides that.
*/}}
{{- define "agentrollouts.workloadRules" -}}
- apiGroups: [apps]
  resources: [deployments]
  verbs:
    - get     # the template, and a stamped Deployment before it is scaled
    - create  # the Deployment of a release
    - patch   # the same, by server-side apply; its replicas, by JSON patch
    - delete  # once the history no longer names the release, in the very version that was seen
- apiGroups: [""]
  resources: [services]
  verbs:
    - get     # whether the name is taken
    - create  # the Service of a release
    - patch   # the same, by server-side apply
    - delete  # with the Deployment
{{- end -}}

{{/*
What it takes to run a namespace's hooks. Not bound: a namespace opts in with a RoleBinding (docs/hooks.md). Who may create Jobs
there may run any pod, as any account of the namespace, so no one but the namespace's admin decides that.
*/}}
{{- define "agentrollouts.hookRules" -}}
- apiGroups: [batch]
  resources: [jobs]  # neither list nor watch: a Job is found by its name
  verbs:
    - create  # one try of a hook
    - get     # its end, while it runs, and whose it is where the name is taken
- apiGroups: [batch]
  resources: [cronjobs]
  verbs:
    - get     # the hook itself, whose template is copied
{{- end -}}

{{- /* Whether the API server evaluates policies, whether ours about people's authority are among them, and whether it also
       lets policies fill in a name (Kubernetes 1.36). */ -}}
{{- define "agentrollouts.servesPolicies" -}}
{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy" -}}true{{- end -}}
{{- end -}}

{{- define "agentrollouts.provesIdentity" -}}
{{- if and .Values.policies.authority (include "agentrollouts.servesPolicies" .) -}}true{{- end -}}
{{- end -}}

{{- define "agentrollouts.stampsNames" -}}
{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
{{- include "agentrollouts.provesIdentity" . -}}
{{- end -}}
{{- end -}}

{{/* The user name of the operator. */}}
{{- define "agentrollouts.account" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "agentrollouts.serviceAccountName" . }}
{{- end -}}

{{/* Begins a policy; the arguments are the root, its kind and its name. */}}
{{- define "agentrollouts.policy" -}}
{{- $root := index . 0 -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: {{ index . 1 }}
metadata:
  name: {{ include "agentrollouts.fullname" $root }}-{{ index . 2 }}
  labels: {{- include "agentrollouts.labels" $root | nindent 4 }}
{{- end -}}

{{/*
Binds a policy; the arguments are the root, the kind and name of the policy, and the namespaces to which it applies. A policy
for people applies to those that the operator manages: others have another operator, or none. All of them if empty.
*/}}
{{- define "agentrollouts.binding" -}}
{{- $root := index . 0 -}}
{{- $kind := index . 1 -}}
{{- $name := printf "%s-%s" (include "agentrollouts.fullname" $root) (index . 2) -}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ $name }}
  labels: {{- include "agentrollouts.labels" $root | nindent 4 }}
spec:
  policyName: {{ $name }}
  {{- if eq $kind "ValidatingAdmissionPolicy" }}
  validationActions: [Deny, Audit]
  {{- end }}
  {{- with index . 3 }}
  matchResources:
    namespaceSelector:
      matchExpressions:
        - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
  {{- end }}
{{- end -}}

{{/*
Whether an object is one of the operator: by its label, by an owner, or by the manager that applied its fields. Someone who
removes one of these marks must not stop the operator from putting it back. A new object needs label and owner.
*/}}
{{- define "agentrollouts.isOurs" -}}
- name: hasLabel
  expression: >-
    has(variables.seen.metadata.labels) && 'app.kubernetes.io/managed-by' in variables.seen.metadata.labels &&
    variables.seen.metadata.labels['app.kubernetes.io/managed-by'] == 'agentrollouts'
- name: hasOwner
  expression: >-
    has(variables.seen.metadata.ownerReferences) &&
    variables.seen.metadata.ownerReferences.exists(o, o.apiVersion.startsWith('agentrollouts.dev/'))
- name: hasManager
  expression: >-
    has(variables.seen.metadata.managedFields) && variables.seen.metadata.managedFields.exists(m,
    has(m.manager) && has(m.operation) && m.operation == 'Apply' && (m.manager == 'agentrollouts' || m.manager.startsWith('agentrollouts-')))
- name: isOurs
  expression: >-
    request.operation == 'CREATE' ? variables.hasLabel && variables.hasOwner :
    variables.hasLabel || variables.hasOwner || variables.hasManager
{{- end -}}

{{- define "agentrollouts.notInKube" -}}
- expression: "!request.namespace.startsWith('kube-')"
  reason: Forbidden
  message: the operator writes nothing in namespaces that begin with kube-
{{- end -}}

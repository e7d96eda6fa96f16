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

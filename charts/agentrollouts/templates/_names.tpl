{{/* Name of everything in this Helm release, at most 63 characters. */}}
{{- define "agentrollouts.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "agentrollouts.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "agentrollouts.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is required where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The two labels by which pods are selected; they never change. */}}
{{- define "agentrollouts.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "agentrollouts.labels" -}}
{{ include "agentrollouts.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: agentrollouts
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- end -}}

{{- define "agentrollouts.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* Name of what exists only during an uninstall; as the name of a Job, at most 63 characters. */}}
{{- define "agentrollouts.uninstallName" -}}
{{- printf "%s-uninstall" (include "agentrollouts.fullname" . | trunc 53 | trimSuffix "-") -}}
{{- end -}}

{{/* Labels of the same. Its pod is none of those that the Deployment, the PodMonitor and the budget select. */}}
{{- define "agentrollouts.uninstallLabels" -}}
{{- include "agentrollouts.labels" . | replace "component: operator" "component: uninstall" | replace (printf "/name: %s" .Chart.Name) (printf "/name: %s-uninstall" .Chart.Name) -}}
{{- end -}}

{{/* Annotations of a hook; the argument is its weight. */}}
{{- define "agentrollouts.uninstallHook" -}}
helm.sh/hook: pre-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* Name of what serves the page; as the name of a Service, at most 63 characters. */}}
{{- define "agentrollouts.dashboardName" -}}
{{- printf "%s-dashboard" (include "agentrollouts.fullname" . | trunc 53 | trimSuffix "-") -}}
{{- end -}}

{{/* The two labels by which its pods are selected; the operator's selector matches none of them. */}}
{{- define "agentrollouts.dashboardSelector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-dashboard
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "agentrollouts.dashboardLabels" -}}
{{- include "agentrollouts.labels" . | replace "component: operator" "component: dashboard" | replace (printf "/name: %s" .Chart.Name) (printf "/name: %s-dashboard" .Chart.Name) -}}
{{- end -}}

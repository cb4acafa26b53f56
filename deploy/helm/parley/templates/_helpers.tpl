{{- define "parley.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "parley.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "parley.serviceAccount" -}}
{{- ternary (default (include "parley.fullname" .) .Values.serviceAccount.name) (default "default" .Values.serviceAccount.name) .Values.serviceAccount.create -}}
{{- end -}}

{{/* What never changes of an installation: what Services, budgets and policies select by. */}}
{{- define "parley.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "parley.labels" -}}
{{ include "parley.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: parley
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* session-router -> SESSION_ROUTER */}}
{{- define "parley.variable" -}}
{{- . | upper | replace "-" "_" -}}
{{- end -}}

{{/* The services that are on, by name: what every template ranges over. */}}
{{- define "parley.enabled" -}}
{{- $on := dict -}}
{{- range $name, $service := .Values.services -}}
{{- if ne (toString $service.enabled) "false" -}}{{- $_ := set $on $name $service -}}{{- end -}}
{{- end -}}
{{- toYaml $on -}}
{{- end -}}

{{/* Consumers, then tasks, may each take drainSeconds; ten more are for closing. */}}
{{- define "parley.graceSeconds" -}}
{{- add (mul 2 .Values.config.drainSeconds) .Values.config.preStopSeconds 10 -}}
{{- end -}}

{{- define "parley.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "parley.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "parley.secretVariable" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef: {name: {{ .from.existingSecret }}, key: {{ .from.key }}}
{{- end -}}

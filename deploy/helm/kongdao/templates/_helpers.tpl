{{/* The beginning of all names. Fifty characters leave room for what is put behind, in the 63 of a Service's name. */}}
{{- define "kongdao.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* The name of the Deployment, its Service and its rights. */}}
{{- define "kongdao.webhook" -}}
{{ include "kongdao.fullname" . }}-webhook
{{- end }}

{{- define "kongdao.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "kongdao.webhook" .) .Values.serviceAccount.name }}
{{- else -}}
{{ required "serviceAccount.create is false: name a ServiceAccount that is there in serviceAccount.name" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{/* The Secret that the process makes, or has cert-manager make. */}}
{{- define "kongdao.certificate" -}}
{{ default (printf "%s-certificate" (include "kongdao.webhook" .)) .Values.certificates.secretName }}
{{- end }}

{{- define "kongdao.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: webhook
{{- end }}

{{- define "kongdao.labels" -}}
{{ include "kongdao.commonLabels" . }}
app.kubernetes.io/component: webhook
{{- end }}

{{- define "kongdao.commonLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: kongdao
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "kongdao.image" -}}
{{ .Values.image.repository }}
{{- if .Values.image.digest -}}
@{{ .Values.image.digest }}
{{- else -}}
:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{/* The subject of every binding. */}}
{{- define "kongdao.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ include "kongdao.serviceAccount" . }}
    namespace: {{ .Release.Namespace }}
{{- end }}

{{- define "kongdao.testNamespace" -}}
{{ default (first (append .Values.watchNamespaces "default")) .Values.test.namespace }}
{{- end }}

{{/* What the schema cannot say: values that are each right, and wrong together. */}}
{{- define "kongdao.validate" -}}
{{- $certificates := .Values.certificates -}}
{{- range .Values.watchNamespaces -}}
{{- if has . (list "kube-system" $.Release.Namespace) -}}
{{- fail (printf "watchNamespaces names %s: kongdao never works in kube-system, nor in its own namespace, which must start without it" .) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $certificates.provider "files") (not $certificates.files.secretName) -}}
{{- fail "certificates.provider is files: name the Secret with tls.crt and tls.key in certificates.files.secretName" -}}
{{- end -}}
{{- if and (ne $certificates.provider "files") $certificates.caBundle -}}
{{- fail (printf "certificates.caBundle is set and certificates.provider is %s, which keeps the caBundle itself: unset it, or set the provider to files" $certificates.provider) -}}
{{- end -}}
{{- if and (ne $certificates.provider "files") $certificates.files.secretName -}}
{{- fail (printf "certificates.files.secretName is set and certificates.provider is %s: unset it, or set the provider to files" $certificates.provider) -}}
{{- end -}}
{{- if ne (empty $certificates.certManager.issuer.kind) (empty $certificates.certManager.issuer.name) -}}
{{- fail "certificates.certManager.issuer needs both kind and name, or neither" -}}
{{- end -}}
{{- if and (ne $certificates.provider "cert-manager") $certificates.certManager.issuer.name -}}
{{- fail (printf "certificates.certManager.issuer is set and certificates.provider is %s: unset it, or set the provider to cert-manager" $certificates.provider) -}}
{{- end -}}
{{- if lt (int .Values.migrations.deadlineSeconds) (int .Values.migrations.timeoutSeconds) -}}
{{- fail (printf "migrations.deadlineSeconds is %v, shorter than migrations.timeoutSeconds, which is %v" .Values.migrations.deadlineSeconds .Values.migrations.timeoutSeconds) -}}
{{- end -}}
{{- if not .Values.metrics.enabled -}}
{{- range $part := list "serviceMonitor" "prometheusRule" "dashboard" -}}
{{- if (index $.Values.metrics $part).enabled -}}
{{- fail (printf "metrics.%s.enabled is true and metrics.enabled is false: there is nothing to read" $part) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Where a webhook is reached: a list of the chart's root and the path. */}}
{{- define "kongdao.clientConfig" -}}
{{- $root := first . -}}
clientConfig:
  service: {namespace: {{ $root.Release.Namespace }}, name: {{ include "kongdao.webhook" $root }}, path: {{ last . }}, port: 443}
  {{- with $root.Values.certificates.caBundle }}
  caBundle: {{ b64enc . }}
  {{- end }}
{{- end }}

{{/* What a webhook is asked about: the same for both. */}}
{{- define "kongdao.selectors" -}}
namespaceSelector:
  {{- with .Values.webhook.namespaceSelector.matchLabels }}
  matchLabels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  # The cluster's own parts, and the webhook's, must start without it.
  matchExpressions:
    - {key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system, {{ .Release.Namespace }}]}
    {{- with .Values.watchNamespaces }}
    # Elsewhere it may read no plugin.
    - {key: kubernetes.io/metadata.name, operator: In, values: [{{ join ", " . }}]}
    {{- end }}
    {{- with .Values.webhook.namespaceSelector.matchExpressions }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- if or .Values.webhook.objectSelector.matchLabels .Values.webhook.objectSelector.matchExpressions }}
objectSelector:
  {{- toYaml .Values.webhook.objectSelector | nindent 2 }}
{{- end }}
{{- end }}

{{/* What every use of plugins needs, in a ClusterRole or in Roles. */}}
{{- define "kongdao.pluginRules" -}}
rules:
  # The plugins' files lie in ConfigMaps{{ if not .Values.watchNamespaces }} of every namespace{{ end }}. RBAC knows no
  # labels: the label kongdao.io/plugin, which every read asks for, is ours to
  # keep to.
  - apiGroups: [""]
    resources: [configmaps]
    verbs: [list, watch]
  # The owner of a denied pod is told why; "patch" counts repetitions.
  - apiGroups: [events.k8s.io]
    resources: [events]
    verbs: [create, patch]
{{- end }}

{{/* Not empty where policies are followed: they are for a whole cluster. */}}
{{- define "kongdao.policies" -}}
{{- if and .Values.policies.enabled (not .Values.watchNamespaces) }}true{{ end -}}
{{- end }}

{{/* What running migrations takes, in a ClusterRole or in Roles. */}}
{{- define "kongdao.migrationRules" -}}
rules:
  # Which pods wait, and which older ones run: those that were injected are
  # watched, others listed before a migration is finished. The container of one is
  # read for the Job, and a gate is lifted by a patch.
  - apiGroups: [""]
    resources: [pods]
    verbs: [get, list, watch, patch]
  # A Job runs "kong migrations". None is ever changed or deleted: it goes with
  # its PluginMigration, or when its time is over.
  - apiGroups: [batch]
    resources: [jobs]
    verbs: [list, watch, create]
  # What has to be migrated, and how far it is, is written down; the oldest that
  # no pod needs go.
  - apiGroups: [kongdao.io]
    resources: [pluginmigrations]
    verbs: [list, watch, create, delete]
  # The latter is their status.
  - apiGroups: [kongdao.io]
    resources: [pluginmigrations/status]
    verbs: [update]
{{- end }}

{{/* The labels of an alert: a list of the chart's root and its severity. */}}
{{- define "kongdao.alertLabels" -}}
severity: {{ last . }}
{{- with (first .).Values.metrics.prometheusRule.alertLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

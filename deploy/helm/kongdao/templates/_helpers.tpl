{{- define "kongdao.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/*
kongdao.fullname is the prefix of all object names. It has 50 characters at most, because templates append suffixes, and
the name of a Service can have 63.
*/}}
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

{{/* kongdao.webhookName is the name of the Deployment and its Service, and the prefix of the roles' names. */}}
{{- define "kongdao.webhookName" -}}
{{ include "kongdao.fullname" . }}-webhook
{{- end }}

{{- define "kongdao.serviceAccountName" -}}
{{- with .Values.serviceAccount -}}
{{- if .create -}}
{{ default (include "kongdao.webhookName" $) .name }}
{{- else -}}
{{ required "set serviceAccount.name to an existing ServiceAccount, because serviceAccount.create is false" .name }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* kongdao.certificateSecretName is the Secret in which kongdao or cert-manager stores the certificate. */}}
{{- define "kongdao.certificateSecretName" -}}
{{ default (printf "%s-certificate" (include "kongdao.webhookName" .)) .Values.certificates.secretName }}
{{- end }}

{{/* kongdao.selectorLabels select the pods of the webhook. */}}
{{- define "kongdao.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kongdao.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: webhook
{{- end }}

{{/* kongdao.labels are the labels of every object of the webhook. */}}
{{- define "kongdao.labels" -}}
{{ include "kongdao.commonLabels" . }}
app.kubernetes.io/component: webhook
{{- end }}

{{/* kongdao.commonLabels are the labels of every object. No selector matches them. */}}
{{- define "kongdao.commonLabels" -}}
app.kubernetes.io/name: {{ include "kongdao.name" . }}
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

{{- define "kongdao.testNamespace" -}}
{{ default (first (append .Values.watchNamespaces "default")) .Values.test.namespace }}
{{- end }}

{{/* kongdao.policiesEnabled is "true" or empty. Policies are cluster-wide, so watchNamespaces disables them. */}}
{{- define "kongdao.policiesEnabled" -}}
{{- if and .Values.policies.enabled (not .Values.watchNamespaces) }}true{{ end -}}
{{- end }}

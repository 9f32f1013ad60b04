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

{{/*
kongdao.webhookName and kongdao.controllerName are the names of a Deployment and its Service, and the prefix of the
names of its roles.
*/}}
{{- define "kongdao.webhookName" -}}
{{ include "kongdao.fullname" . }}-webhook
{{- end }}
{{- define "kongdao.controllerName" -}}
{{ include "kongdao.fullname" . }}-controller
{{- end }}

{{/*
kongdao.serviceAccountName is the name of the ServiceAccount of a component. Arguments: a list of the root and the
component, "webhook" or "controller".
*/}}
{{- define "kongdao.serviceAccountName" -}}
{{- $root := first . -}}
{{- $component := last . -}}
{{- $isWebhook := eq $component "webhook" -}}
{{- $values := ternary $root.Values.serviceAccount $root.Values.controller.serviceAccount $isWebhook -}}
{{- $prefix := ternary "" "controller." $isWebhook -}}
{{- if $values.create -}}
{{ default (printf "%s-%s" (include "kongdao.fullname" $root) $component) $values.name }}
{{- else -}}
{{- $text := "set %sserviceAccount.name to an existing ServiceAccount, because %sserviceAccount.create is false" -}}
{{ required (printf $text $prefix $prefix) $values.name }}
{{- end -}}
{{- end }}

{{/* kongdao.certificateSecretName is the Secret in which kongdao or cert-manager stores the certificate. */}}
{{- define "kongdao.certificateSecretName" -}}
{{ default (printf "%s-certificate" (include "kongdao.webhookName" .)) .Values.certificates.secretName }}
{{- end }}

{{/* kongdao.selectorLabels select the pods of a component. Arguments: a list of the root and the component. */}}
{{- define "kongdao.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kongdao.name" (first .) }}
app.kubernetes.io/instance: {{ (first .).Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end }}

{{/* kongdao.labels are the labels of every object of a component. Arguments: a list of the root and the component. */}}
{{- define "kongdao.labels" -}}
{{ include "kongdao.commonLabels" (first .) }}
app.kubernetes.io/component: {{ last . }}
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

{{/*
kongdao.controllerEnabled is "true" or empty. Without migrations and policies, the controller has nothing to do.
*/}}
{{- define "kongdao.controllerEnabled" -}}
{{- if or .Values.migrations.enabled (include "kongdao.policiesEnabled" .) }}true{{ end -}}
{{- end }}

{{/* kongdao.rolloutsEnabled is "true" or empty. The controller makes the rollouts. */}}
{{- define "kongdao.rolloutsEnabled" -}}
{{- if and .Values.rollouts.enabled (include "kongdao.controllerEnabled" .) }}true{{ end -}}
{{- end }}

{{/* kongdao.pruneEnabled is "true" or empty. The controller deletes the releases. */}}
{{- define "kongdao.pruneEnabled" -}}
{{- if and .Values.prune.enabled (include "kongdao.controllerEnabled" .) }}true{{ end -}}
{{- end }}

{{/* kongdao.policiesEnabled is "true" or empty. Policies are cluster-wide, so watchNamespaces disables them. */}}
{{- define "kongdao.policiesEnabled" -}}
{{- if and .Values.policies.enabled (not .Values.watchNamespaces) }}true{{ end -}}
{{- end }}

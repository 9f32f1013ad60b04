{{/*
kongdao.clientConfig is the address of a webhook. Arguments: a list of the root and the path.
*/}}
{{- define "kongdao.clientConfig" -}}
{{- $root := first . -}}
clientConfig:
  service:
    namespace: {{ $root.Release.Namespace }}
    name: {{ include "kongdao.webhookName" $root }}
    path: {{ last . }}
    port: 443
  {{- with $root.Values.certificates.caBundle }}
  caBundle: {{ b64enc . }}
  {{- end }}
{{- end }}

{{/* kongdao.namespaceExpressions select the namespaces in which kongdao can read plugins. */}}
{{- define "kongdao.namespaceExpressions" -}}
# kongdao does not work in these namespaces: their pods must start without it.
- {key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system, {{ .Release.Namespace }}]}
{{- with .Values.watchNamespaces }}
# kongdao cannot read plugins in other namespaces.
- {key: kubernetes.io/metadata.name, operator: In, values: [{{ join ", " . }}]}
{{- end }}
{{- end }}

{{/* kongdao.webhookSelectors are the namespaces and objects of the webhooks for pods and workloads. */}}
{{- define "kongdao.webhookSelectors" -}}
namespaceSelector:
  {{- with .Values.webhook.namespaceSelector.matchLabels }}
  matchLabels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  matchExpressions:
    {{- include "kongdao.namespaceExpressions" . | nindent 4 }}
    {{- with .Values.webhook.namespaceSelector.matchExpressions }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- with .Values.webhook.objectSelector }}
{{- if or .matchLabels .matchExpressions }}
objectSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* kongdao.selectorText is a label selector as text, for the controllers. Argument: the selector. */}}
{{- define "kongdao.selectorText" -}}
{{- $terms := list -}}
{{- range $name, $value := .matchLabels -}}
{{- $terms = append $terms (printf "%s=%s" $name $value) -}}
{{- end -}}
{{- range .matchExpressions -}}
{{- $values := join "," (.values | default list) -}}
{{- $term := dict "In" (printf "%s in (%s)" .key $values) "NotIn" (printf "%s notin (%s)" .key $values)
  "Exists" .key "DoesNotExist" (printf "!%s" .key) -}}
{{- $terms = append $terms (get $term .operator) -}}
{{- end -}}
{{- join "," $terms -}}
{{- end }}

{{/*
kongdao.namespaceSelector is webhook.namespaceSelector as text. It is empty with watchNamespaces, which lists the
namespaces.
*/}}
{{- define "kongdao.namespaceSelector" -}}
{{- if not .Values.watchNamespaces -}}
{{- include "kongdao.selectorText" .Values.webhook.namespaceSelector -}}
{{- end -}}
{{- end }}

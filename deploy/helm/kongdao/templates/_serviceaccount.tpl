{{/*
kongdao.serviceAccount is the ServiceAccount of a component. Arguments: a list of the root, the annotations and the
component.
*/}}
{{- define "kongdao.serviceAccount" -}}
{{- $root := first . -}}
{{- $component := last . -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "kongdao.serviceAccountName" (list $root $component) }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "kongdao.labels" (list $root $component) | nindent 4 }}
  {{- with index . 1 }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
# The Deployment mounts the token explicitly. Other pods with this ServiceAccount do not get it by default.
automountServiceAccountToken: false
{{- end }}

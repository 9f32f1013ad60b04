{{/*
kongdao.role is the head of a Role, or of a ClusterRole if the namespace is empty. The rules follow it.
Arguments: root, component, name, namespace.
*/}}
{{- define "kongdao.role" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ ternary "Role" "ClusterRole" (ne .namespace "") }}
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "kongdao.labels" (list .root .component) | nindent 4 }}
{{- end }}

{{/*
kongdao.roleBinding binds a Role, or a ClusterRole if the namespace is empty, to the service account of a component. The
binding has the name of the role. Arguments: root, component, name, namespace.
*/}}
{{- define "kongdao.roleBinding" -}}
{{- $kind := ternary "Role" "ClusterRole" (ne .namespace "") -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "kongdao.labels" (list .root .component) | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "kongdao.serviceAccountName" (list .root .component) }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

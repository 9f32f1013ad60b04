{{/* kongdao.podDisruptionBudget is that of a component. Arguments: a list of the root and the component. */}}
{{- define "kongdao.podDisruptionBudget" -}}
{{- $root := first . -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "kongdao.fullname" $root }}-{{ last . }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "kongdao.labels" . | nindent 4 }}
spec:
  # Not minAvailable: with one replica, it would block every node drain.
  maxUnavailable: {{ $root.Values.podDisruptionBudget.maxUnavailable }}
  # A replica that is not ready must not block a node drain.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "kongdao.selectorLabels" . | nindent 6 }}
{{- end }}

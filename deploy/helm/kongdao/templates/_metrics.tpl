{{/* kongdao.serviceMonitor is that of a component. Arguments: a list of the root and the component. */}}
{{- define "kongdao.serviceMonitor" -}}
{{- $root := first . -}}
{{- $values := $root.Values.metrics.serviceMonitor -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "kongdao.fullname" $root }}-{{ last . }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "kongdao.labels" . | nindent 4 }}
    {{- with $values.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "kongdao.selectorLabels" . | nindent 6 }}
  endpoints:
    - port: metrics
      {{- with $values.interval }}
      interval: {{ . }}
      {{- end }}
{{- end }}

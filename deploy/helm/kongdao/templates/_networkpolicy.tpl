{{/*
The rules that the NetworkPolicies of the webhook and the controller share. Arguments of each: the root.
*/}}

{{/* kongdao.commonIngress are the peers of both processes. */}}
{{- define "kongdao.commonIngress" -}}
# Probes from the kubelet on the node.
- ports:
    - {port: health, protocol: TCP}
{{- if .Values.metrics.enabled }}
# Prometheus.
- ports:
    - {port: metrics, protocol: TCP}
  {{- with .Values.networkPolicy.metricsFrom }}
  from:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- with .Values.networkPolicy.extraIngress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* kongdao.egress are the targets of both processes. */}}
{{- define "kongdao.egress" -}}
# The API server.
- ports:
    {{- range .Values.networkPolicy.apiServerPorts }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .Values.networkPolicy.apiServerTo }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
# DNS, for clusters whose API server has a DNS name.
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}

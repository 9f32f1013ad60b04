{{/*
The parts of a pod template that the webhook and the controller share. Arguments of each: a list of the root and the
component, "webhook" or "controller".
*/}}

{{/* kongdao.podMetadata are the labels and annotations of a pod. */}}
{{- define "kongdao.podMetadata" -}}
{{- $root := first . -}}
labels:
  {{- include "kongdao.labels" . | nindent 2 }}
  {{- with $root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  kubectl.kubernetes.io/default-container: {{ last . }}
  {{- with $root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* kongdao.podFields are the fields of a pod's spec before its containers. */}}
{{- define "kongdao.podFields" -}}
{{- $root := first . -}}
serviceAccountName: {{ include "kongdao.serviceAccountName" . }}
automountServiceAccountToken: true
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- end }}

{{/* kongdao.commonArgs are the command-line flags of both programs. */}}
{{- define "kongdao.commonArgs" -}}
{{- $values := (first .).Values -}}
- --namespace=$(POD_NAMESPACE)
- --metrics-address={{ ternary (printf ":%v" $values.ports.metrics) "0" $values.metrics.enabled }}
- --health-address=:{{ $values.ports.health }}
- --log-level={{ $values.logLevel }}
{{- with $values.watchNamespaces }}
- --watch-namespaces={{ join "," . }}
{{- end }}
{{- if include "kongdao.rolloutsEnabled" (first .) }}
- --rollouts
{{- end }}
{{- end }}

{{/* kongdao.env are the environment variables of a container. Arguments: a list of the root and the resources. */}}
{{- define "kongdao.env" -}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- if dig "limits" "memory" "" (last . | default dict) }}
# Go's garbage collector works harder before the container reaches its limit.
- name: MEMORY_LIMIT
  valueFrom: {resourceFieldRef: {resource: limits.memory}}
{{- end }}
{{- with (first .).Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* kongdao.scheduling are the fields of a pod's spec that select its node. */}}
{{- define "kongdao.scheduling" -}}
{{- $values := (first .).Values -}}
{{- if $values.affinity }}
affinity:
  {{- toYaml $values.affinity | nindent 2 }}
{{- else if ne $values.spread.nodes "none" }}
affinity:
  podAntiAffinity:
    {{- if eq $values.spread.nodes "required" }}
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "kongdao.selectorLabels" . | nindent 12 }}
    {{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "kongdao.selectorLabels" . | nindent 14 }}
    {{- end }}
{{- end }}
{{- if or $values.topologySpreadConstraints (ne $values.spread.zones "none") }}
topologySpreadConstraints:
  {{- if ne $values.spread.zones "none" }}
  - topologyKey: topology.kubernetes.io/zone
    maxSkew: 1
    whenUnsatisfiable: {{ ternary "DoNotSchedule" "ScheduleAnyway" (eq $values.spread.zones "required") }}
    # Count only pods of the same rollout, not the old pods that it replaces.
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "kongdao.selectorLabels" . | nindent 8 }}
  {{- end }}
  {{- with $values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

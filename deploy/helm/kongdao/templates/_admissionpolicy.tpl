{{/*
kongdao.accountPolicy is the head of a ValidatingAdmissionPolicy for the requests of a component's account. The rest of
the spec follows it. Requests of others end at the match condition, so they pay only for a comparison.
Arguments: root, component, name.
*/}}
{{- define "kongdao.accountPolicy" -}}
{{- $account := include "kongdao.serviceAccountName" (list .root .component) -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: {{ .name }}
  labels:
    {{- include "kongdao.labels" (list .root .component) | nindent 4 }}
spec:
  failurePolicy: Fail
  matchConditions:
    - name: is-kongdao
      expression: request.userInfo.username == 'system:serviceaccount:{{ .root.Release.Namespace }}:{{ $account }}'
{{- end }}

{{/* kongdao.policyBinding puts a ValidatingAdmissionPolicy of the same name into effect. Arguments: as above. */}}
{{- define "kongdao.policyBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "kongdao.labels" (list .root .component) | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
{{- end }}

{{/*
kongdao.equalExcept is a CEL expression: two maps are equal, apart from some keys. dyn() lets the expression iterate
over the fields of an object. So it also covers fields of later versions of Kubernetes.
Arguments: a list of both maps and the keys.
*/}}
{{- define "kongdao.equalExcept" -}}
{{- $a := printf "dyn(%s)" (first .) -}}
{{- $b := printf "dyn(%s)" (index . 1) -}}
{{- $keys := printf "['%s']" (join "', '" (slice . 2)) -}}
{{ $a }}.all(k, k in {{ $keys }} ||
k in {{ $b }} && {{ $a }}[k] == {{ $b }}[k]) &&
{{ $b }}.all(k, k in {{ $keys }} ||
k in {{ $a }})
{{- end }}

{{/*
kongdao.equalMetadata is a CEL expression: a request does not change the metadata of an object. The API server itself
changes the excepted fields.
*/}}
{{- define "kongdao.equalMetadata" -}}
{{- include "kongdao.equalExcept"
  (list "object.metadata" "oldObject.metadata" "managedFields" "resourceVersion" "generation") -}}
{{- end }}

{{/*
kongdao.namespaceVariables are CEL variables of a policy. The variable works says whether kongdao works in the namespace
of a request: it is the definition of the webhooks and the controllers.
*/}}
{{- define "kongdao.namespaceVariables" -}}
{{- $terms := list (printf "!(request.namespace in ['kube-system', '%s'])" .Release.Namespace) -}}
{{- with .Values.watchNamespaces -}}
{{- $terms = append $terms (printf "request.namespace in ['%s']" (join "', '" .)) -}}
{{- else -}}
{{- range $name, $value := .Values.webhook.namespaceSelector.matchLabels -}}
{{- $terms = append $terms (printf "variables.namespaceLabels[?'%s'] == optional.of('%s')" $name $value) -}}
{{- end -}}
{{- range .Values.webhook.namespaceSelector.matchExpressions -}}
{{- $has := printf "'%s' in variables.namespaceLabels" .key -}}
{{- $in := printf "%s && variables.namespaceLabels['%s'] in ['%s']" $has .key (join "', '" (.values | default list)) -}}
{{- $term := dict "In" $in "NotIn" (printf "!(%s)" $in) "Exists" $has "DoesNotExist" (printf "!(%s)" $has) -}}
{{- $terms = append $terms (get $term .operator) -}}
{{- end -}}
{{- end -}}
- name: namespaceLabels
  expression: namespaceObject.metadata.?labels.orValue({})
- name: works
  expression: |-
    {{- join " &&\n" $terms | nindent 4 }}
{{- end }}

{{/* kongdao.worksInNamespace is the validation that a request is for a namespace in which kongdao works. */}}
{{- define "kongdao.worksInNamespace" -}}
- expression: variables.works
  message: >-
    kongdao does not work in this namespace: it excludes kube-system, its own namespace, and those that
    watchNamespaces and webhook.namespaceSelector do not select
  reason: Forbidden
{{- end }}

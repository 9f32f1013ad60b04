{{/*
kongdao.validate fails on combinations of values that values.schema.json cannot reject.
*/}}
{{- define "kongdao.validate" -}}
{{- range .Values.watchNamespaces -}}
{{- if has . (list "kube-system" $.Release.Namespace) -}}
{{- $reason := "kongdao does not work in kube-system or in its own namespace, because both must start without it" -}}
{{- fail (printf "remove %q from watchNamespaces: %s" . $reason) -}}
{{- end -}}
{{- end -}}

{{- if include "kongdao.controllerEnabled" . -}}
{{- $account := include "kongdao.serviceAccountName" (list . "webhook") -}}
{{- if eq $account (include "kongdao.serviceAccountName" (list . "controller")) -}}
{{- $names := "serviceAccount.name and controller.serviceAccount.name" -}}
{{- fail (printf "%s are both %q: use two accounts, because each has only the rights that it needs" $names $account) -}}
{{- end -}}
{{- end -}}

{{- $provider := .Values.certificates.provider -}}
{{- $files := .Values.certificates.files -}}
{{- $issuer := .Values.certificates.certManager.issuer -}}
{{- if and (eq $provider "files") (not $files.secretName) -}}
{{- $reason := "certificates.provider is files" -}}
{{- fail (printf "set certificates.files.secretName to the Secret with tls.crt and tls.key, because %s" $reason) -}}
{{- end -}}
{{- if ne (empty $issuer.kind) (empty $issuer.name) -}}
{{- fail "set both kind and name of certificates.certManager.issuer, or neither" -}}
{{- end -}}
{{- $onlyWith := dict
  "certificates.caBundle" (list .Values.certificates.caBundle "files")
  "certificates.files.secretName" (list $files.secretName "files")
  "certificates.certManager.issuer" (list $issuer.name "cert-manager")
-}}
{{- range $name, $value := $onlyWith -}}
{{- if and (first $value) (ne $provider (last $value)) -}}
{{- $advice := printf "remove it, or set the provider to %s" (last $value) -}}
{{- fail (printf "%s is set, but certificates.provider is %s: %s" $name $provider $advice) -}}
{{- end -}}
{{- end -}}

{{- $deadline := int .Values.migrations.deadlineSeconds -}}
{{- $timeout := int .Values.migrations.timeoutSeconds -}}
{{- if lt $deadline $timeout -}}
{{- $rule := "migrations.deadlineSeconds (%d) must not be less than migrations.timeoutSeconds (%d)" -}}
{{- fail (printf $rule $deadline $timeout) -}}
{{- end -}}

{{- if not .Values.metrics.enabled -}}
{{- range $part := list "serviceMonitor" "prometheusRule" "dashboard" -}}
{{- if (index $.Values.metrics $part).enabled -}}
{{- fail (printf "metrics.%s.enabled is true, but metrics.enabled is false: set both or neither" $part) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestInvalidValues proves that Helm rejects invalid values with a message that names them.
func TestInvalidValues(t *testing.T) {
	for name, test := range map[string]struct {
		set  []string
		want []string
	}{
		"misspelt value": {
			[]string{"replicaCout=3"},
			[]string{"replicaCout", "not allowed"},
		},
		"misspelt nested value": {
			[]string{"image.tagg=1"},
			[]string{"/image", "tagg", "not allowed"},
		},
		"unknown failurePolicy": {
			[]string{"webhook.failurePolicy=fail"},
			[]string{"/webhook/failurePolicy", "'Fail', 'Ignore'"},
		},
		"unknown provider": {
			[]string{"certificates.provider=vault"},
			[]string{"/certificates/provider", "'self', 'cert-manager', 'files'"},
		},
		"no replica": {
			[]string{"replicaCount=0"},
			[]string{"/replicaCount", "minimum"},
		},
		"webhook timeout too long": {
			[]string{"webhook.timeoutSeconds=31"},
			[]string{"/webhook/timeoutSeconds", "maximum"},
		},
		"incomplete digest": {
			[]string{"image.digest=sha256:abc"},
			[]string{"/image/digest", "pattern"},
		},
		"invalid namespace name": {
			[]string{"watchNamespaces={Kong}"},
			[]string{"/watchNamespaces/0", "pattern"},
		},
		"flag without dashes": {
			[]string{"extraArgs={tls-min-version=1.3}"},
			[]string{"/extraArgs/0", "pattern"},
		},
		"invalid caBundle": {
			[]string{"certificates.caBundle=abc"},
			[]string{"/certificates/caBundle", "pattern"},
		},
		"own namespace is watched": {
			[]string{"watchNamespaces={kong," + releaseNamespace + "}"},
			[]string{`remove "` + releaseNamespace + `" from watchNamespaces`},
		},
		"kube-system is watched": {
			[]string{"watchNamespaces={kube-system}"},
			[]string{`remove "kube-system" from watchNamespaces`},
		},
		"files without a Secret": {
			[]string{"certificates.provider=files"},
			[]string{"set certificates.files.secretName to the Secret", "certificates.provider is files"},
		},
		"Secret without files": {
			[]string{"certificates.files.secretName=x"},
			[]string{"certificates.files.secretName is set, but certificates.provider is self"},
		},
		"issuer without kind": {
			[]string{"certificates.provider=cert-manager", "certificates.certManager.issuer.name=x"},
			[]string{"set both kind and name of certificates.certManager.issuer"},
		},
		"issuer without cert-manager": {
			[]string{"certificates.certManager.issuer.name=x", "certificates.certManager.issuer.kind=Issuer"},
			[]string{"certificates.certManager.issuer is set, but certificates.provider is self"},
		},
		"caBundle without files": {
			[]string{"certificates.caBundle=-----BEGIN CERTIFICATE-----x-----END CERTIFICATE-----"},
			[]string{"certificates.caBundle is set, but certificates.provider is self"},
		},
		"alerts without metrics": {
			[]string{"metrics.enabled=false", "metrics.prometheusRule.enabled=true"},
			[]string{"metrics.prometheusRule.enabled is true, but metrics.enabled is false"},
		},
		"deadline shorter than the timeout": {
			[]string{"migrations.deadlineSeconds=10"},
			[]string{"migrations.deadlineSeconds (10) must not be less than migrations.timeoutSeconds (600)"},
		},
		"no retention of copies": {
			[]string{"policies.copyRetentionSeconds=0"},
			[]string{"/policies/copyRetentionSeconds", "minimum"},
		},
		"no migration timeout": {
			[]string{"migrations.timeoutSeconds=0"},
			[]string{"/migrations/timeoutSeconds", "minimum"},
		},
		"no service account name": {
			[]string{"serviceAccount.create=false"},
			[]string{"set serviceAccount.name to an existing ServiceAccount"},
		},
		"no service account name of the controller": {
			[]string{"controller.serviceAccount.create=false"},
			[]string{"set controller.serviceAccount.name to an existing ServiceAccount"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var flags []string
			for _, value := range test.set {
				flags = append(flags, "--set", value)
			}
			checkRejected(t, flags, test.want)
		})
	}
}

// TestOldKubernetesIsRejected proves that Helm rejects a Kubernetes version that the chart does not support.
func TestOldKubernetesIsRejected(t *testing.T) {
	checkRejected(t, []string{"--kube-version", "1.29.0"},
		[]string{"kubeVersion: >=1.30.0-0", "incompatible with Kubernetes v1.29.0"})
}

// checkRejected fails the test if Helm accepts the flags, or if its error lacks a wanted part.
func checkRejected(t *testing.T, flags, want []string) {
	t.Helper()
	_, err := runHelm(t, append([]string{"template", release, chartDir}, flags...)...)
	if err == nil {
		t.Fatalf("helm template accepts %q", flags)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not contain %q: %v", part, err)
		}
	}
}

// TestSchemaMatchesValues proves that values.schema.json and values.yaml have the same values, so that the
// documentation in values.yaml is complete.
func TestSchemaMatchesValues(t *testing.T) {
	var schema map[string]any
	text, err := os.ReadFile(filepath.Join(chartDir, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if text, err = os.ReadFile(filepath.Join(chartDir, "values.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, &values); err != nil {
		t.Fatal(err)
	}
	values["global"] = map[string]any{} // Helm adds this value.
	compareWithSchema(t, "", values, schema, schema["definitions"].(map[string]any))
}

// compareWithSchema reports the values that only one of both has, at the path and below it.
func compareWithSchema(t *testing.T, path string, values, schema, definitions map[string]any) {
	t.Helper()
	if reference, ok := schema["$ref"].(string); ok {
		schema = definitions[strings.TrimPrefix(reference, "#/definitions/")].(map[string]any)
	}
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return // The user chooses the keys, for example of labels.
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s/: the schema accepts unknown values", path)
	}
	for name, property := range properties {
		value, exists := values[name]
		inner, isMap := value.(map[string]any)
		switch {
		// values.yaml sets only some fields of these Kubernetes types.
		case !exists && slices.Contains([]string{"/affinity", "/resources", "/controller/resources"}, path):
		case !exists:
			t.Errorf("%s/%s is in the schema, but not in values.yaml", path, name)
		case isMap:
			compareWithSchema(t, path+"/"+name, inner, property.(map[string]any), definitions)
		}
	}
	for name := range values {
		if properties[name] == nil {
			t.Errorf("%s/%s is in values.yaml, but not in the schema", path, name)
		}
	}
}

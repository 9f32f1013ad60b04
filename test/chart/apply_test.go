package chart

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestKubectlApplyKeepsPolicyWebhook proves that kubectl apply of the rendered configuration keeps the webhook that
// kongdao added for policies.
func TestKubectlApplyKeepsPolicyWebhook(t *testing.T) {
	main := findMainConfiguration(t, render(t))
	for name, flags := range map[string][]string{"client-side": nil, "server-side": {"--server-side"}} {
		t.Run(name, func(t *testing.T) {
			configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
				ObjectMeta: metav1.ObjectMeta{Name: policyConfiguration},
			}
			deleteAtEnd(t, configuration)
			applyPolicyConfiguration(t, "first", flags)
			want := addPolicyWebhook(t, main)
			applyPolicyConfiguration(t, "second", flags)
			if err := admin.Get(t.Context(), client.ObjectKeyFromObject(configuration), configuration); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, configuration.Webhooks); diff != "" {
				t.Errorf("webhooks (-added +after apply)\n%s", diff)
			}
		})
	}
}

// applyPolicyConfiguration renders the configuration for policies with an annotation, and applies it with kubectl.
func applyPolicyConfiguration(t *testing.T, annotation string, flags []string) {
	t.Helper()
	text := runHelmOrFail(t, "template", release, chartDir,
		"--show-only", "templates/mutatingwebhookconfiguration-policies.yaml",
		"--set", "webhook.annotations.applied="+annotation)
	file := filepath.Join(t.TempDir(), "configuration.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	kubectl := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	if _, err := runProgram(t, kubectl, append([]string{"apply", "-f", file}, flags...)...); err != nil {
		t.Fatal(err)
	}
	configuration, err := getConfiguration(t.Context(), policyConfiguration)
	if err != nil {
		t.Fatal(err)
	}
	if got := configuration.Annotations["applied"]; got != annotation {
		t.Fatalf("the annotation is %q after the apply, want %q", got, annotation)
	}
}

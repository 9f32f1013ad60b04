package chart

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applyv1 "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestRelease proves on a real release that an upgrade leaves alone what the
// webhook itself keeps, its Secret, the caBundle and the webhook for policies,
// that it makes anew what was deleted in an emergency, that policies which are
// turned off take their webhook along, and that after an uninstall the API server
// has nothing left to call.
func TestRelease(t *testing.T) {
	makeNamespaces(t)
	helmOnCluster := func(arguments ...string) {
		t.Helper()
		if _, err := runHelm(t, append(arguments, "--namespace", releaseNamespace)...); err != nil {
			t.Fatal(err)
		}
	}
	get := func(name string) (*admissionregistrationv1.MutatingWebhookConfiguration, error) {
		found := &admissionregistrationv1.MutatingWebhookConfiguration{}
		return found, admin.Get(t.Context(), client.ObjectKey{Name: name}, found)
	}
	configuration := func() (*admissionregistrationv1.MutatingWebhookConfiguration, error) { return get("kongdao") }
	helmOnCluster("install", release, chartDir)
	installed, err := configuration()
	if err != nil {
		t.Fatal(err)
	}

	// What the webhook does.
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: releaseNamespace, Name: "kongdao-webhook-certificate"}}
	if err := admin.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	remove(t, secret)
	bundle := strings.TrimSpace(string(plane.CA())) + "\n"
	patch := applyv1.MutatingWebhookConfiguration(installed.Name)
	for _, webhook := range installed.Webhooks {
		patch.WithWebhooks(applyv1.MutatingWebhook().WithName(webhook.Name).
			WithClientConfig(applyv1.WebhookClientConfig().WithCABundle([]byte(bundle)...)))
	}
	if err := admin.Apply(t.Context(), patch, client.FieldOwner("kongdao-certificates")); err != nil {
		t.Fatal(err)
	}

	forPolicies := putWebhook(t, "kongdao-policies", installed)

	for _, upgrade := range [][]string{
		{"--set", "webhook.timeoutSeconds=7", "--set", "webhook.annotations.upgrade=first"},
		// As Helm 3 does, and Helm 4 for what Helm 3 has installed.
		{"--set", "webhook.timeoutSeconds=8", "--set", "webhook.annotations.upgrade=second", "--server-side=false"},
	} {
		helmOnCluster(append([]string{"upgrade", release, chartDir}, upgrade...)...)
		upgraded, err := configuration()
		if err != nil {
			t.Fatal(err)
		}
		if upgraded.UID != installed.UID {
			t.Errorf("%q: the configuration is another", upgrade)
		}
		for _, webhook := range upgraded.Webhooks {
			if string(webhook.ClientConfig.CABundle) != bundle {
				t.Errorf("%q: %s: the caBundle is lost: %q", upgrade, webhook.Name, webhook.ClientConfig.CABundle)
			}
			if !strings.HasSuffix(upgrade[1], string('0'+rune(*webhook.TimeoutSeconds))) {
				t.Errorf("%q: %s: nothing was upgraded: %d", upgrade, webhook.Name, *webhook.TimeoutSeconds)
			}
		}
		left, err := get("kongdao-policies")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(upgrade[3], "="+left.Annotations["upgrade"]) {
			t.Errorf("%q: nothing of the configuration for policies was upgraded: %v", upgrade, left.Annotations)
		}
		if diff := cmp.Diff(forPolicies, left.Webhooks); diff != "" {
			t.Errorf("%q: what is in the configuration for policies (-before +after)\n%s", upgrade, diff)
		}
	}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
		t.Errorf("after the upgrades: %v", err)
	}

	// The way out of an emergency, and back.
	ofPolicies := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "kongdao-policies"}}
	if err := errors.Join(admin.Delete(t.Context(), installed), admin.Delete(t.Context(), ofPolicies)); err != nil {
		t.Fatal(err)
	}
	helmOnCluster("upgrade", release, chartDir)
	for _, name := range []string{"kongdao", "kongdao-policies"} {
		if _, err := get(name); err != nil {
			t.Errorf("the webhook configuration, deleted and upgraded: %v", err)
		}
	}

	putWebhook(t, "kongdao-policies", installed)
	helmOnCluster("upgrade", release, chartDir, "--set", "policies.enabled=false")
	if _, err := get("kongdao-policies"); !apierrors.IsNotFound(err) {
		t.Errorf("the configuration for policies, which are off: %v", err)
	}
	helmOnCluster("upgrade", release, chartDir, "--set", "policies.enabled=true")
	putWebhook(t, "kongdao-policies", installed)

	helmOnCluster("uninstall", release)
	for what, left := range map[string]client.ObjectList{
		"webhook configurations": &admissionregistrationv1.MutatingWebhookConfigurationList{},
		"ClusterRoles":           &rbacv1.ClusterRoleList{},
		"policies of copies":     &admissionregistrationv1.ValidatingAdmissionPolicyList{},
		"their bindings":         &admissionregistrationv1.ValidatingAdmissionPolicyBindingList{},
	} {
		err := admin.List(t.Context(), left, client.MatchingLabels{"app.kubernetes.io/part-of": "kongdao"})
		if err != nil || meta.LenList(left) > 0 {
			t.Errorf("%s after the uninstall: %d %v", what, meta.LenList(left), err)
		}
	}
}

// putWebhook puts into the configuration for policies what kongdao does, one made
// of the installation's own, and yields what is then there.
func putWebhook(t *testing.T, name string, main *admissionregistrationv1.MutatingWebhookConfiguration) []admissionregistrationv1.MutatingWebhook {
	t.Helper()
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := admin.Get(t.Context(), client.ObjectKey{Name: name}, configuration); err != nil {
		t.Fatal(err)
	}
	if len(configuration.Webhooks) > 0 {
		t.Fatalf("there is one already: %+v", configuration.Webhooks)
	}
	webhook := main.Webhooks[0].DeepCopy()
	webhook.Name = "policies.kongdao.io"
	configuration.Webhooks = []admissionregistrationv1.MutatingWebhook{*webhook}
	if err := admin.Update(t.Context(), configuration, client.FieldOwner("webhook")); err != nil {
		t.Fatal(err)
	}
	return configuration.Webhooks
}

// TestAppliedAgain proves that kubectl, too, which applies what Helm renders,
// leaves alone the webhook that kongdao has put into the configuration for
// policies.
func TestAppliedAgain(t *testing.T) {
	main := mainConfiguration(t, render(t))
	for name, flags := range map[string][]string{"by the client": nil, "by the server": {"--server-side"}} {
		t.Run(name, func(t *testing.T) {
			configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "kongdao-policies"}}
			remove(t, configuration)
			apply := func(version string) {
				t.Helper()
				text, err := runHelm(t, "template", release, chartDir, "--namespace", releaseNamespace,
					"--show-only", "templates/mutatingwebhookconfiguration-policies.yaml", "--set", "webhook.annotations.applied="+version)
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(t.TempDir(), "configuration.yaml")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				kubectl := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
				if _, err := runProgram(t, kubectl, append([]string{"apply", "-f", file}, flags...)...); err != nil {
					t.Fatal(err)
				}
				if err := admin.Get(t.Context(), client.ObjectKeyFromObject(configuration), configuration); err != nil {
					t.Fatal(err)
				}
				if configuration.Annotations["applied"] != version {
					t.Fatalf("nothing was applied: %v", configuration.Annotations)
				}
			}
			apply("first")
			put := putWebhook(t, configuration.Name, main)
			apply("second")
			if diff := cmp.Diff(put, configuration.Webhooks); diff != "" {
				t.Errorf("(-put +applied)\n%s", diff)
			}
		})
	}
}

package chart

import (
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applyv1 "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestRelease proves on a real release that an upgrade leaves alone what the
// webhook itself keeps, its Secret and the caBundle, that it makes anew what was
// deleted in an emergency, and that after an uninstall the API server has
// nothing left to call.
func TestRelease(t *testing.T) {
	makeNamespaces(t)
	helmOnCluster := func(arguments ...string) {
		t.Helper()
		if _, err := runHelm(t, append(arguments, "--namespace", releaseNamespace)...); err != nil {
			t.Fatal(err)
		}
	}
	configuration := func() (*admissionregistrationv1.MutatingWebhookConfiguration, error) {
		found := &admissionregistrationv1.MutatingWebhookConfiguration{}
		return found, admin.Get(t.Context(), client.ObjectKey{Name: "kongdao"}, found)
	}
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

	for _, upgrade := range [][]string{
		{"--set", "webhook.timeoutSeconds=7"},
		// As Helm 3 does, and Helm 4 for what Helm 3 has installed.
		{"--set", "webhook.timeoutSeconds=8", "--server-side=false"},
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
	}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
		t.Errorf("after the upgrades: %v", err)
	}

	// The way out of an emergency, and back.
	if err := admin.Delete(t.Context(), installed); err != nil {
		t.Fatal(err)
	}
	helmOnCluster("upgrade", release, chartDir)
	if _, err := configuration(); err != nil {
		t.Errorf("the webhook configuration, deleted and upgraded: %v", err)
	}

	helmOnCluster("uninstall", release)
	if _, err := configuration(); !apierrors.IsNotFound(err) {
		t.Errorf("the webhook configuration after the uninstall: %v", err)
	}
	left := &rbacv1.ClusterRoleList{}
	if err := admin.List(t.Context(), left, client.MatchingLabels{"app.kubernetes.io/part-of": "kongdao"}); err != nil || len(left.Items) > 0 {
		t.Errorf("ClusterRoles after the uninstall: %d %v", len(left.Items), err)
	}
}

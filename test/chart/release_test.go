package chart

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applyv1 "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	mainConfiguration   = "kongdao"
	policyConfiguration = "kongdao-policies"
)

// TestReleaseLifecycle proves on a real release:
//   - An upgrade keeps what kongdao maintains: its Secret, the caBundle, and the webhook for policies.
//   - An upgrade restores configurations that were deleted in an emergency.
//   - Disabling policies deletes their configuration.
//   - An uninstall deletes every object with which the API server calls kongdao.
func TestReleaseLifecycle(t *testing.T) {
	createNamespaces(t)
	runHelmOrFail(t, "install", release, chartDir)
	installed, err := getConfiguration(t.Context(), mainConfiguration)
	if err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: releaseNamespace, Name: "kongdao-webhook-certificate",
	}}
	if err := admin.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	deleteAtEnd(t, secret)
	bundle := applyCABundle(t, installed)
	policyWebhooks := addPolicyWebhook(t, installed)

	for _, upgrade := range []struct {
		timeout int32
		flags   []string
	}{
		{timeout: 7},
		// Helm 3 applies on the client side. Helm 4 does the same for releases that Helm 3 installed.
		{timeout: 8, flags: []string{"--server-side=false"}},
	} {
		t.Run(fmt.Sprintf("upgrade %q", upgrade.flags), func(t *testing.T) {
			runHelmOrFail(t, append([]string{
				"upgrade", release, chartDir,
				"--set", fmt.Sprintf("webhook.timeoutSeconds=%d", upgrade.timeout),
				"--set-string", fmt.Sprintf("webhook.annotations.upgrade=%d", upgrade.timeout),
			}, upgrade.flags...)...)
			checkMainConfiguration(t, installed.UID, bundle, upgrade.timeout)
			checkPolicyConfiguration(t, policyWebhooks, fmt.Sprint(upgrade.timeout))
		})
	}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(secret), secret); err != nil {
		t.Errorf("get the Secret after the upgrades: %v", err)
	}

	deleteConfigurations(t)
	runHelmOrFail(t, "upgrade", release, chartDir)
	for _, name := range []string{mainConfiguration, policyConfiguration} {
		if _, err := getConfiguration(t.Context(), name); err != nil {
			t.Errorf("get the configuration that an upgrade restores: %v", err)
		}
	}

	addPolicyWebhook(t, installed)
	runHelmOrFail(t, "upgrade", release, chartDir, "--set", "policies.enabled=false")
	if _, err := getConfiguration(t.Context(), policyConfiguration); !apierrors.IsNotFound(err) {
		t.Errorf("get the configuration of disabled policies: got %v, want not found", err)
	}
	runHelmOrFail(t, "upgrade", release, chartDir, "--set", "policies.enabled=true")
	addPolicyWebhook(t, installed)

	runHelmOrFail(t, "uninstall", release)
	checkUninstalled(t)
}

func getConfiguration(
	ctx context.Context, name string,
) (*admissionregistrationv1.MutatingWebhookConfiguration, error) {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	return configuration, admin.Get(ctx, client.ObjectKey{Name: name}, configuration)
}

// deleteConfigurations runs the emergency command.
func deleteConfigurations(t *testing.T) {
	t.Helper()
	var errs []error
	for _, name := range []string{mainConfiguration, policyConfiguration} {
		configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}}
		errs = append(errs, admin.Delete(t.Context(), configuration))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// applyCABundle sets the caBundle in the way that kongdao does, and returns it.
func applyCABundle(t *testing.T, installed *admissionregistrationv1.MutatingWebhookConfiguration) string {
	t.Helper()
	bundle := strings.TrimSpace(string(plane.CA())) + "\n"
	patch := applyv1.MutatingWebhookConfiguration(installed.Name)
	for _, webhook := range installed.Webhooks {
		patch.WithWebhooks(applyv1.MutatingWebhook().WithName(webhook.Name).
			WithClientConfig(applyv1.WebhookClientConfig().WithCABundle([]byte(bundle)...)))
	}
	if err := admin.Apply(t.Context(), patch, client.FieldOwner("kongdao-certificates")); err != nil {
		t.Fatal(err)
	}
	return bundle
}

// addPolicyWebhook adds a copy of the main webhook to the configuration for policies, in the way that kongdao does. It
// returns the resulting webhooks.
func addPolicyWebhook(
	t *testing.T, main *admissionregistrationv1.MutatingWebhookConfiguration,
) []admissionregistrationv1.MutatingWebhook {
	t.Helper()
	configuration, err := getConfiguration(t.Context(), policyConfiguration)
	if err != nil {
		t.Fatal(err)
	}
	if len(configuration.Webhooks) > 0 {
		t.Fatalf("the configuration for policies has webhooks: %+v", configuration.Webhooks)
	}
	webhook := main.Webhooks[0].DeepCopy()
	webhook.Name = "policies.kongdao.io"
	configuration.Webhooks = []admissionregistrationv1.MutatingWebhook{*webhook}
	if err := admin.Update(t.Context(), configuration, client.FieldOwner("webhook")); err != nil {
		t.Fatal(err)
	}
	return configuration.Webhooks
}

func checkMainConfiguration(t *testing.T, uid types.UID, bundle string, timeout int32) {
	t.Helper()
	upgraded, err := getConfiguration(t.Context(), mainConfiguration)
	if err != nil {
		t.Fatal(err)
	}
	if upgraded.UID != uid {
		t.Error("the upgrade replaced the configuration")
	}
	for _, webhook := range upgraded.Webhooks {
		if got := string(webhook.ClientConfig.CABundle); got != bundle {
			t.Errorf("%s: the caBundle is %q, want %q", webhook.Name, got, bundle)
		}
		if *webhook.TimeoutSeconds != timeout {
			t.Errorf("%s: the timeout is %d, want %d", webhook.Name, *webhook.TimeoutSeconds, timeout)
		}
	}
}

func checkPolicyConfiguration(t *testing.T, webhooks []admissionregistrationv1.MutatingWebhook, annotation string) {
	t.Helper()
	configuration, err := getConfiguration(t.Context(), policyConfiguration)
	if err != nil {
		t.Fatal(err)
	}
	if got := configuration.Annotations["upgrade"]; got != annotation {
		t.Errorf("the annotation of the configuration for policies is %q, want %q", got, annotation)
	}
	if diff := cmp.Diff(webhooks, configuration.Webhooks); diff != "" {
		t.Errorf("webhooks for policies (-before +after)\n%s", diff)
	}
}

func checkUninstalled(t *testing.T) {
	t.Helper()
	for kind, list := range map[string]client.ObjectList{
		"webhook configurations":      &admissionregistrationv1.MutatingWebhookConfigurationList{},
		"ClusterRoles":                &rbacv1.ClusterRoleList{},
		"ValidatingAdmissionPolicies": &admissionregistrationv1.ValidatingAdmissionPolicyList{},
		"their bindings":              &admissionregistrationv1.ValidatingAdmissionPolicyBindingList{},
	} {
		err := admin.List(t.Context(), list, client.MatchingLabels{"app.kubernetes.io/part-of": "kongdao"})
		if err != nil || meta.LenList(list) > 0 {
			t.Errorf("list %s after the uninstall: got %d, error %v; want none", kind, meta.LenList(list), err)
		}
	}
}

package controllers

import (
	"context"
	"encoding/json"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applyv1 "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/installation"
)

type (
	configuration = admissionregistrationv1.MutatingWebhookConfiguration
	webhookEntry  = admissionregistrationv1.MutatingWebhook
)

// setURL returns a function that makes a webhook call an attacker.
func setURL(url string) func(*configuration) {
	return func(c *configuration) { c.Webhooks[0].ClientConfig.URL = &url }
}

func setService(c *configuration) {
	c.Webhooks[0].ClientConfig.URL = nil
	c.Webhooks[0].ClientConfig.Service = &admissionregistrationv1.ServiceReference{Namespace: "default", Name: "attacker"}
}

func setRules(c *configuration) { c.Webhooks[0].Rules[0].APIGroups = []string{"*"} }

func setLabel(c *configuration) { metav1.SetMetaDataLabel(&c.ObjectMeta, "app", "x") }

func addWebhook(c *configuration) {
	added := c.Webhooks[0].DeepCopy()
	added.Name = "attacker.example.com"
	c.Webhooks = append(c.Webhooks, *added)
}

// TestStolenTokenPolicyWebhook proves what the controller's account can write into the webhook configuration for
// policies. ValidatingAdmissionPolicies apply to webhook configurations (fact P10).
func TestStolenTokenPolicyWebhook(t *testing.T) {
	t.Parallel()
	const notOurs, notPods = "only a webhook that calls kongdao's Service", "only a webhook for new pods"
	for name, test := range map[string]struct {
		change func(*configuration)
		want   string
	}{
		"as the controller does": {func(*configuration) {}, ""},
		"no webhook":             {func(c *configuration) { c.Webhooks = nil }, ""},
		"another address":        {setURL("https://attacker.example.com/mutate/pods"), notOurs},
		"another path":           {setURL(webhook.URL("/mutate/workloads")), notOurs},
		"another Service":        {setService, notOurs},
		"all kinds":              {setRules, notPods},
		"changes of pods": {func(c *configuration) {
			c.Webhooks[0].Rules[0].Operations = []admissionregistrationv1.OperationType{"UPDATE"}
		}, notPods},
		"all namespaces": {
			func(c *configuration) { c.Webhooks[0].NamespaceSelector = nil }, "that excludes kube-system",
		},
		"a second webhook": {addWebhook, "only the webhook policies.kongdao.io"},
		"a label":          {setLabel, "cannot change the metadata"},
	} {
		t.Run(name, func(t *testing.T) {
			thief := stolenToken(t, installation.ControllerUser)
			try(t, test.want, func(ctx context.Context) error {
				var main, policies configuration
				if err := webhook.Admin.Get(ctx, client.ObjectKey{Name: "kongdao"}, &main); err != nil {
					return err
				}
				if err := webhook.Admin.Get(ctx, client.ObjectKey{Name: "kongdao-policies"}, &policies); err != nil {
					return err
				}
				main.Webhooks[0].Name = "policies.kongdao.io"
				policies.Webhooks = []webhookEntry{main.Webhooks[0]}
				test.change(&policies)
				return thief.Update(ctx, &policies)
			})
		})
	}
}

// admissionToken returns a client with the name and all rights of the webhook's account.
func admissionToken(t *testing.T) client.Client {
	t.Helper()
	rules, err := installation.CertificateRules()
	if err != nil {
		t.Fatal(err)
	}
	meta := metav1.ObjectMeta{GenerateName: "webhook-"}
	role := &rbacv1.ClusterRole{ObjectMeta: meta, Rules: append(rules, rbacv1.PolicyRule{
		APIGroups: []string{v1alpha1.GroupVersion().Group}, Resources: []string{"pluginpolicies/status"},
		Verbs: []string{"patch"},
	})}
	shared.Create(t, role)
	shared.Create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: installation.WebhookUser}},
	})
	return stolenToken(t, installation.WebhookUser)
}

// TestStolenTokenCABundle proves that the webhook's account can change only the caBundle of its configurations.
func TestStolenTokenCABundle(t *testing.T) {
	t.Parallel()
	thief := admissionToken(t)
	const onlyBundle = "can change only the caBundle"
	for name, test := range map[string]struct {
		change func(*configuration)
		want   string
	}{
		"the caBundle": {func(c *configuration) {
			for i := range c.Webhooks {
				c.Webhooks[i].ClientConfig.CABundle = append(plane.CA(), plane.CA()...)
			}
		}, ""},
		"another address": {setURL("https://attacker.example.com/"), onlyBundle},
		"another Service": {setService, onlyBundle},
		"all kinds":       {setRules, onlyBundle},
		"all namespaces":  {func(c *configuration) { c.Webhooks[0].NamespaceSelector = nil }, onlyBundle},
		"ignored failures": {func(c *configuration) {
			c.Webhooks[0].FailurePolicy = new(admissionregistrationv1.Ignore)
		}, onlyBundle},
		"a second webhook": {addWebhook, onlyBundle},
		"no webhook":       {func(c *configuration) { c.Webhooks = nil }, onlyBundle},
		"a label":          {setLabel, onlyBundle},
	} {
		t.Run(name, func(t *testing.T) {
			try(t, test.want, func(ctx context.Context) error {
				installed := &configuration{}
				if err := webhook.Admin.Get(ctx, client.ObjectKey{Name: "kongdao"}, installed); err != nil {
					return err
				}
				before := installed.DeepCopy()
				test.change(installed)
				return thief.Patch(ctx, installed, client.MergeFrom(before))
			})
		})
	}
	t.Run("deletions that fail", func(t *testing.T) {
		try(t, onlyBundle, func(ctx context.Context) error {
			installed := &admissionregistrationv1.ValidatingWebhookConfiguration{}
			if err := webhook.Admin.Get(ctx, client.ObjectKey{Name: "kongdao"}, installed); err != nil {
				return err
			}
			before := installed.DeepCopy()
			installed.Webhooks[0].FailurePolicy = new(admissionregistrationv1.Fail)
			return thief.Patch(ctx, installed, client.MergeFrom(before))
		})
	})
	t.Run("as the webhook does", func(t *testing.T) {
		patch := applyv1.MutatingWebhookConfiguration("kongdao").WithWebhooks(applyv1.MutatingWebhook().
			WithName("pods.kongdao.io").WithClientConfig(applyv1.WebhookClientConfig().WithCABundle(plane.CA()...)))
		try(t, "", func(ctx context.Context) error {
			return thief.Apply(ctx, patch, client.FieldOwner("kongdao-certificates"), client.ForceOwnership)
		})
	})
}

// TestStolenTokenSecrets proves that the webhook's account can create no Secret but that with its certificate. Another
// one could get the token of another account.
func TestStolenTokenSecrets(t *testing.T) {
	t.Parallel()
	thief := admissionToken(t)
	const certificate = "kongdao-webhook-certificate"
	for name, test := range map[string]struct {
		name, want string
		kind       corev1.SecretType
	}{
		"the certificate": {certificate, "", corev1.SecretTypeTLS},
		"another Secret":  {"other", "only the Secret with its certificate", corev1.SecretTypeOpaque},
		"a token": {
			certificate, "the token of a service account", corev1.SecretTypeServiceAccountToken,
		},
	} {
		t.Run(name, func(t *testing.T) {
			try(t, test.want, func(ctx context.Context) error {
				return thief.Create(ctx, &corev1.Secret{
					ObjectMeta: metav1.ObjectMeta{
						Namespace: system, Name: test.name,
						Annotations: map[string]string{corev1.ServiceAccountNameKey: "default"},
					},
					Type: test.kind, Data: map[string][]byte{corev1.TLSCertKey: {}, corev1.TLSPrivateKeyKey: {}},
				})
			})
		})
	}
}

// TestStolenTokenPolicyStatus proves that the webhook's account can write only the denials in the status of a policy.
func TestStolenTokenPolicyStatus(t *testing.T) {
	t.Parallel()
	thief := admissionToken(t)
	policy := createPolicy(t, "status", policySpec{Allowed: []string{"*"}}, shared.CreateNamespace(t))
	for name, test := range map[string]struct {
		status map[string]any
		want   string
	}{
		"denials": {map[string]any{"denials": []any{map[string]any{
			"replica": "x", "time": "2026-01-01T00:00:00Z", "workloads": []any{},
		}}}, ""},
		"counts":     {map[string]any{"pods": 7}, "only the denials"},
		"generation": {map[string]any{"observedGeneration": 99}, "only the denials"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(map[string]any{"status": test.status})
			if err != nil {
				t.Fatal(err)
			}
			patch := client.RawPatch("application/merge-patch+json", text)
			try(t, test.want, func(ctx context.Context) error {
				return thief.Status().Patch(ctx, policy.DeepCopy(), patch)
			})
		})
	}
}

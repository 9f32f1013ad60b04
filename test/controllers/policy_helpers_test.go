package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
)

// quiet is a plugin without migrations.
const quiet = "quiet"

type policySpec = v1alpha1.PluginPolicySpec

// plugins returns the entries of spec.plugins for references such as "dao-test" and "dao-test@1.1.0".
func plugins(refs ...string) []v1alpha1.PolicyPlugin {
	entries := []v1alpha1.PolicyPlugin{}
	for _, ref := range refs {
		name, version, _ := strings.Cut(ref, "@")
		entries = append(entries, v1alpha1.PolicyPlugin{Name: name, Version: version})
	}
	return entries
}

// createPolicy creates a policy for some namespaces and waits until it applies. The test deletes it at its end.
func createPolicy(t *testing.T, name string, spec policySpec, namespaces ...string) *v1alpha1.PluginPolicy {
	t.Helper()
	spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: namespaces},
	}}
	policy := &v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: name + "-" + namespaces[0]}, Spec: spec}
	createPolicyObject(t, policy)
	return policy
}

// createPolicyObject creates a policy and waits until it applies. The test deletes it at its end.
func createPolicyObject(t *testing.T, policy *v1alpha1.PluginPolicy) {
	t.Helper()
	shared.Create(t, policy)
	t.Cleanup(func() {
		if err := webhook.Admin.Delete(context.Background(), policy); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	})
	waitForPolicy(t, policy)
}

// waitForPolicy waits until kongdao has observed the current generation of a policy and, if the policy has plugins, the
// API server calls the webhook for Kong pods without an annotation.
func waitForPolicy(t *testing.T, policy *v1alpha1.PluginPolicy) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(policy), policy); err != nil {
			return err
		}
		if policy.Status.ObservedGeneration != policy.Generation {
			return errors.New("the status describes an earlier generation of the policy")
		}
		if len(policy.Spec.Plugins) == 0 {
			return nil
		}
		configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
		err := webhook.Admin.Get(ctx, client.ObjectKey{Name: "kongdao-policies"}, configuration)
		if err == nil && len(configuration.Webhooks) == 0 {
			err = errors.New("the webhook for policies is not configured")
		}
		return err
	})
}

// kongPod returns a Kong pod without annotations and without a database.
func kongPod(namespace, name string) *corev1.Pod {
	made := pod(namespace, name, "")
	made.Annotations = nil
	made.Spec.Containers[0].Env = nil
	return made
}

// kongPlugins returns the value of KONG_PLUGINS in the first container of a pod.
func kongPlugins(pod *corev1.Pod) string {
	for _, variable := range pod.Spec.Containers[0].Env {
		if variable.Name == "KONG_PLUGINS" {
			return variable.Value
		}
	}
	return ""
}

// createDryRun returns a pod as the API server would create it.
func createDryRun(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	pod = pod.DeepCopy()
	return pod, webhook.Admin.Create(ctx, pod, client.DryRunAll)
}

// wantKongPlugins waits until a pod would be created with a value of KONG_PLUGINS.
func wantKongPlugins(t *testing.T, pod *corev1.Pod, want string) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		created, err := createDryRun(ctx, pod)
		if err == nil && kongPlugins(created) != want {
			err = fmt.Errorf("KONG_PLUGINS is %q, want %q", kongPlugins(created), want)
		}
		return err
	})
}

// wantDenied waits until a pod is denied with a message that contains all texts.
func wantDenied(t *testing.T, pod *corev1.Pod, texts ...string) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		_, err := createDryRun(ctx, pod)
		if err == nil {
			return errors.New("the pod is admitted")
		}
		for _, text := range texts {
			if !strings.Contains(err.Error(), text) {
				return fmt.Errorf("the denial does not contain %q: %w", text, err)
			}
		}
		return nil
	})
}

// wantDeniedNow fails the test unless the next try to create a pod is denied with a message that contains the text.
func wantDeniedNow(t *testing.T, pod *corev1.Pod, text string) {
	t.Helper()
	if _, err := createDryRun(t.Context(), pod); err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("the denial does not contain %q: %v", text, err)
	}
}

package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// quiet is a plugin without migrations.
const quiet = "quiet"

// plugins returns the entries of spec.plugins for references such as "dao-test" and "dao-test@1.1.0".
func plugins(refs ...string) []v1alpha1.PolicyPlugin {
	entries := []v1alpha1.PolicyPlugin{}
	for _, ref := range refs {
		name, version, _ := strings.Cut(ref, "@")
		entries = append(entries, v1alpha1.PolicyPlugin{Name: name, Version: version})
	}
	return entries
}

// policyFor makes a policy for some namespaces, which goes with the test, and
// waits until every pod that is created is decided by it.
func policyFor(t *testing.T, name string, spec v1alpha1.PluginPolicySpec, namespaces ...string) *v1alpha1.PluginPolicy {
	t.Helper()
	spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: namespaces},
	}}
	made := &v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: name + "-" + namespaces[0]}, Spec: spec}
	create(t, made)
	t.Cleanup(func() {
		if err := webhook.Admin.Delete(context.Background(), made); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	})
	settled(t, made)
	return made
}

// settled waits until the webhook knows a policy as it is now, and is called for
// pods that ask for nothing. It knows of one change after the other.
func settled(t *testing.T, policy *v1alpha1.PluginPolicy) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(policy), policy); err != nil {
			return err
		}
		if policy.Status.ObservedGeneration != policy.Generation {
			return errors.New("the policy has not been looked at")
		}
		if len(policy.Spec.Plugins) == 0 {
			return nil
		}
		called := &admissionregistrationv1.MutatingWebhookConfiguration{}
		err := webhook.Admin.Get(ctx, client.ObjectKey{Name: "kongdao-policies"}, called)
		if err == nil && len(called.Webhooks) == 0 {
			err = errors.New("the webhook is not called")
		}
		return err
	})
}

// unasked is a pod of Kong that asks for nothing, without a database.
func unasked(namespace, name string) *corev1.Pod {
	made := pod(namespace, name, "")
	made.Annotations = nil
	made.Spec.Containers[0].Env = nil
	return made
}

// given is what KONG_PLUGINS of a pod's first container is.
func given(made *corev1.Pod) string {
	for _, variable := range made.Spec.Containers[0].Env {
		if variable.Name == "KONG_PLUGINS" {
			return variable.Value
		}
	}
	return ""
}

// admitted creates a pod in a dry run.
func admitted(ctx context.Context, made *corev1.Pod) (*corev1.Pod, error) {
	made = made.DeepCopy()
	return made, webhook.Admin.Create(ctx, made, client.DryRunAll)
}

// eventuallyGiven waits until a pod is admitted with these plugins.
func eventuallyGiven(t *testing.T, made *corev1.Pod, want string) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		got, err := admitted(ctx, made)
		if err == nil && given(got) != want {
			err = fmt.Errorf("KONG_PLUGINS is %q, want %q", given(got), want)
		}
		return err
	})
}

// eventuallyDenied waits until a pod is denied with all these words.
func eventuallyDenied(t *testing.T, made *corev1.Pod, words ...string) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		_, err := admitted(ctx, made)
		if err == nil {
			return errors.New("it is admitted")
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				return fmt.Errorf("%q is not in: %w", word, err)
			}
		}
		return nil
	})
}

// TestAPolicyGives proves who gets a policy's plugins: Kong pods that it selects,
// annotated or not, and nobody else.
func TestAPolicyGives(t *testing.T) {
	t.Parallel()
	ns, other := namespace(t), namespace(t)
	source(t, ns, quiet, "1.0.0")
	source(t, ns, "own", "1.0.0")
	policyFor(t, "gives", v1alpha1.PluginPolicySpec{
		Plugins: plugins(quiet), PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "edge"}},
	}, ns)
	labelled := func(made *corev1.Pod, annotation ...string) *corev1.Pod {
		made.Labels = map[string]string{"tier": "edge"}
		for pair := range slices.Chunk(annotation, 2) {
			if made.Annotations == nil {
				made.Annotations = map[string]string{}
			}
			made.Annotations[pair[0]] = pair[1]
		}
		return made
	}
	eventuallyGiven(t, labelled(unasked(ns, "kong")), "bundled,quiet")
	for name, test := range map[string]struct {
		pod    *corev1.Pod
		want   string
		reason string
	}{
		"annotated":         {labelled(unasked(ns, "kong"), annotations.Plugins, "own"), "bundled,own,quiet", "its own come first"},
		"opted out":         {labelled(unasked(ns, "kong"), annotations.Inject, "false"), "", "the policy lets it"},
		"opted out, asking": {labelled(unasked(ns, "kong"), annotations.Inject, "false", annotations.Plugins, "own"), "bundled,own", "what it asks for itself it gets"},
		"other labels":      {unasked(ns, "kong"), "", "not selected"},
		"other namespace":   {labelled(unasked(other, "kong")), "", "not selected"},
		"no Kong": {func() *corev1.Pod {
			made := labelled(unasked(ns, "web"))
			made.Spec.Containers[0].Image = "nginx"
			return made
		}(), "", "it never waits"},
		"of a Job of ours": {func() *corev1.Pod {
			made := labelled(unasked(ns, "kong"))
			made.Labels[annotations.Step] = "up"
			ownedBy("batch/v1", "Job")(made)
			return made
		}(), "", "it has what it migrates for"},
		"labelled as if": {func() *corev1.Pod {
			made := labelled(unasked(ns, "kong"))
			made.Labels[annotations.Step] = "up"
			return made
		}(), "bundled,quiet", "a label alone says nothing"},
		"of another Job": {func() *corev1.Pod {
			made := labelled(unasked(ns, "kong"))
			ownedBy("batch/v1", "Job")(made)
			return made
		}(), "bundled,quiet", "a chart's own migrations need the plugin too (K21)"},
		"by its variables": {func() *corev1.Pod {
			made := labelled(unasked(ns, "kong"))
			made.Spec.Containers[0].Image = "mirror/gateway:1"
			made.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "KONG_DATABASE", Value: "off"}}
			return made
		}(), "bundled,quiet", "an image of another name"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := admitted(t.Context(), test.pod)
			if err != nil {
				t.Fatal(err)
			}
			if given(got) != test.want {
				t.Errorf("KONG_PLUGINS is %q, want %q: %s", given(got), test.want, test.reason)
			}
		})
	}
}

// TestTwoPolicies proves that two make one request, and that two which want
// different versions are denied, both named.
func TestTwoPolicies(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	source(t, ns, quiet, "1.0.0")
	source(t, ns, quiet, "2.0.0")
	source(t, ns, "other", "1.0.0")
	policyFor(t, "a", v1alpha1.PluginPolicySpec{Plugins: plugins(quiet, "other")}, ns)
	pins := policyFor(t, "b", v1alpha1.PluginPolicySpec{Plugins: plugins(quiet + "@2.0.0")}, ns)
	eventuallyGiven(t, unasked(ns, "kong"), "bundled,other,quiet")
	policyFor(t, "c", v1alpha1.PluginPolicySpec{Plugins: plugins(quiet + "@1.0.0")}, ns)
	eventuallyDenied(t, unasked(ns, "kong"), `plugin "quiet": policy "c-`+ns+`" requires version "1.0.0"`, `policy "b-`+ns+`" requires version "2.0.0"`)
	remove(t, pins)
	eventuallyGiven(t, unasked(ns, "kong"), "bundled,other,quiet")
}

// TestNoPolicyNoWebhook proves that API servers ask about pods that ask for
// nothing while a policy gives something, and at no other time; and that of these
// pods only those that look like Kong wait. It is not parallel: the others have
// policies.
func TestNoPolicyNoWebhook(t *testing.T) {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	isThere := func(want bool) {
		t.Helper()
		eventually(t, func(ctx context.Context) error {
			err := webhook.Admin.Get(ctx, client.ObjectKey{Name: "kongdao-policies"}, configuration)
			if err == nil && (len(configuration.Webhooks) > 0) != want {
				err = fmt.Errorf("%d webhooks are there", len(configuration.Webhooks))
			}
			return err
		})
	}
	ns := namespace(t)
	isThere(false)
	policy := policyFor(t, "gives", v1alpha1.PluginPolicySpec{Plugins: plugins(quiet)}, ns)
	isThere(true)
	source(t, ns, quiet, "1.0.0")
	eventuallyGiven(t, unasked(ns, "kong"), "bundled,quiet")
	if err := webhook.Kill(); err != nil {
		t.Fatal(err)
	}
	plain := unasked(ns, "plain")
	plain.Spec.Containers[0].Image = "example.com/kong/web:kong-1"
	if _, err := admitted(t.Context(), plain); err != nil {
		t.Errorf("a pod that is not Kong waits: %v", err)
	}
	eventuallyDenied(t, unasked(ns, "kong"), "policies.kongdao.io")
	deleteLease(t)
	if err := webhook.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Somebody changes it.
	change(t, configuration, func(c *admissionregistrationv1.MutatingWebhookConfiguration) { c.Webhooks[0].MatchConditions = nil })
	eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKey{Name: "kongdao-policies"}, configuration); err != nil {
			return err
		}
		if len(configuration.Webhooks[0].MatchConditions) != 3 {
			return errors.New("it is not mended")
		}
		return nil
	})
	remove(t, policy)
	isThere(false)
	eventuallyGiven(t, unasked(ns, "kong"), "")
}

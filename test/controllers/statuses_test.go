package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// TestAudit proves that a policy which audits changes nothing and says what it
// would do: to who makes a pod, and in its status; and that it then does it.
func TestAudit(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	source(t, ns, quiet, "1.0.0")
	audited := policyFor(t, "audits", v1alpha1.PluginPolicySpec{Plugins: plugins(quiet), Mode: v1alpha1.Audit}, ns)
	create(t, unasked(ns, "before"))
	eventually(t, func(ctx context.Context) error {
		said := kubectlSays(ctx, t, ns, "run", "kong", "--image=kong:3.9", "--dry-run=server")
		if !strings.Contains(said, `audited policy "audits-`+ns+`" would give this pod the plugin "quiet"`) {
			return fmt.Errorf("nothing is said: %q", said)
		}
		return nil
	})
	if got, err := admitted(t.Context(), unasked(ns, "kong")); err != nil || given(got) != "" {
		t.Errorf("it gets %q: %v", given(got), err)
	}
	wantStatus(t, audited, "Mode Enforce would change 1 pod", func(status v1alpha1.PluginPolicyStatus) bool {
		return status.Namespaces == 1 && status.Pods == 1 && status.Outdated == 1 && status.Injected == 0
	})
	change(t, audited, func(policy *v1alpha1.PluginPolicy) { policy.Spec.Mode = v1alpha1.Enforce })
	eventuallyGiven(t, unasked(ns, "kong"), "bundled,quiet")
	create(t, unasked(ns, "after"))
	wantStatus(t, audited, "Restart these workloads to update 1 pod: \""+ns+"/Pod/before\"", func(status v1alpha1.PluginPolicyStatus) bool {
		return status.Pods == 2 && status.Outdated == 1 && status.Injected == 1 && slices.Equal(status.WorkloadsToRestart, []v1alpha1.WorkloadReference{{Namespace: ns, Kind: "Pod", Name: "before"}})
	})
	table := kubectl(t, ns, "get", "pluginpolicies", audited.Name)
	for _, word := range []string{"MODE", "OUTDATED", "Enforce", "True"} {
		if !strings.Contains(table, word) {
			t.Errorf("%q is not in\n%s", word, table)
		}
	}
}

// wantStatus waits until a policy's status is as it should be, with a part of
// its message.
func wantStatus(t *testing.T, policy *v1alpha1.PluginPolicy, message string, is func(v1alpha1.PluginPolicyStatus) bool) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(policy), policy); err != nil {
			return err
		}
		condition := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionReady)
		if condition == nil || !strings.Contains(condition.Message, message) || !is(policy.Status) {
			return fmt.Errorf("the status is %+v", policy.Status)
		}
		return nil
	})
}

// hasDenied reports whether the condition PodsDenied is True with a reason, and a message that begins with a text.
func hasDenied(status v1alpha1.PluginPolicyStatus, reason, message string) bool {
	condition := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPodsDenied)
	return condition != nil && condition.Status == metav1.ConditionTrue && condition.Reason == reason && strings.HasPrefix(condition.Message, message)
}

// TestDenialsAreCounted proves that a policy's status tells of the workloads
// whose pods it denies.
func TestDenialsAreCounted(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	source(t, ns, "own", "1.0.0")
	forbids := policyFor(t, "forbids", v1alpha1.PluginPolicySpec{Allowed: []string{"dao-*"}}, ns)
	asking := deployment(ns, "kong", 1)
	asking.Spec.Template.Annotations = map[string]string{annotations.Plugins: "own"}
	create(t, asking)
	wantStatus(t, forbids, "Applies to 1 namespace", func(status v1alpha1.PluginPolicyStatus) bool {
		return status.Denied == 1 && len(status.Denials) == 1 && strings.HasPrefix(status.Denials[0].Workloads[0].String(), ns+"/ReplicaSet/kong-") &&
			hasDenied(status, v1alpha1.ReasonDenied, "The policy denied pods of 1 workload in the last hour: \""+ns+"/ReplicaSet/kong-")
	})
	if !meta.IsStatusConditionTrue(forbids.Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("denials change the condition Ready: %+v", forbids.Status.Conditions)
	}
	for _, kind := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if condition := meta.FindStatusCondition(forbids.Status.Conditions, kind); condition != nil {
			t.Errorf("a policy without errors has the condition %+v", condition)
		}
	}
}

// TestAnAuditTellsOfDenials proves that whoever could not be made under a policy
// that audits is made, and that its owner and the status tell of it.
func TestAnAuditTellsOfDenials(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	source(t, ns, "own", "1.0.0")
	audits := policyFor(t, "audits", v1alpha1.PluginPolicySpec{Allowed: []string{"dao-*"}, Mode: v1alpha1.Audit}, ns)
	asking := deployment(ns, "kong", 1)
	asking.Spec.Template.Annotations = map[string]string{annotations.Plugins: "own"}
	create(t, asking)
	podsOf(t, ns, "kong", 1, func(made *corev1.Pod) bool { return given(made) == "bundled,own" })
	wantEvent(t, ns, "ReplicaSet", "PolicyAudited", `audited policies would deny this pod: plugin "own": policy "`+audits.Name+`" does not allow it`)
	wantStatus(t, audits, "Applies to 1 namespace", func(status v1alpha1.PluginPolicyStatus) bool {
		return status.Denied == 1 && hasDenied(status, v1alpha1.ReasonWouldDeny, "The policy would have denied pods of 1 workload in the last hour: ")
	})
	kubectl(t, ns, "wait", "--for=condition=Ready", "pluginpolicy/"+audits.Name, "--timeout=1s")
}

// TestANamespaceLabelledLater proves that a namespace which is labelled after its
// pods run is a policy's from then on, and that its pods are said to lack.
func TestANamespaceLabelledLater(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	source(t, ns, quiet, "1.0.0")
	policy := &v1alpha1.PluginPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "later-" + ns},
		Spec:       v1alpha1.PluginPolicySpec{Plugins: plugins(quiet), NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": ns}}},
	}
	create(t, policy)
	t.Cleanup(func() { _ = webhook.Admin.Delete(context.Background(), policy) })
	settled(t, policy)
	create(t, unasked(ns, "before"))
	change(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, func(namespace *corev1.Namespace) { namespace.Labels["team"] = ns })
	eventuallyGiven(t, unasked(ns, "kong"), "bundled,quiet")
	wantStatus(t, policy, "", func(status v1alpha1.PluginPolicyStatus) bool { return status.Namespaces == 1 && status.Outdated == 1 })
}

// TestAPolicyForAll proves that one without selectors is for every namespace but
// those that the installation leaves alone. It is not parallel: it is for the
// others' too.
func TestAPolicyForAll(t *testing.T) {
	ns := namespace(t)
	everywhere := &v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: "everywhere"}, Spec: v1alpha1.PluginPolicySpec{Plugins: plugins(quiet), Mode: v1alpha1.Audit}}
	create(t, everywhere, unasked(ns, "kong"))
	t.Cleanup(func() {
		if err := webhook.Admin.Delete(context.Background(), everywhere); err != nil {
			t.Error(err)
		}
	})
	eventually(t, func(ctx context.Context) error {
		var namespaces corev1.NamespaceList
		if err := errors.Join(webhook.Admin.List(ctx, &namespaces), webhook.Admin.Get(ctx, client.ObjectKeyFromObject(everywhere), everywhere)); err != nil {
			return err
		}
		// Not kube-system, and not kongdao's own.
		if got, want := int(everywhere.Status.Namespaces), len(namespaces.Items)-2; got != want || everywhere.Status.Outdated == 0 {
			return fmt.Errorf("%d of %d namespaces, status %+v", got, want, everywhere.Status)
		}
		return nil
	})
}

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
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
)

type policyStatus = v1alpha1.PluginPolicyStatus

// wantStatus waits until a policy's status passes a check and the message of its condition Ready contains a text.
func wantStatus(t *testing.T, policy *v1alpha1.PluginPolicy, message string, check func(policyStatus) bool) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		if err := webhook.Admin.Get(ctx, client.ObjectKeyFromObject(policy), policy); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || !strings.Contains(ready.Message, message) || !check(policy.Status) {
			return fmt.Errorf("the status is %+v", policy.Status)
		}
		return nil
	})
}

// hasDenied reports whether the condition PodsDenied is True with a reason, and a message that begins with a text.
func hasDenied(status policyStatus, reason, message string) bool {
	condition := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionPodsDenied)
	return condition != nil && condition.Status == metav1.ConditionTrue && condition.Reason == reason &&
		strings.HasPrefix(condition.Message, message)
}

// wantPolicyKstatus fails the test unless a policy has a status for generic tools.
func wantPolicyKstatus(t *testing.T, policy *v1alpha1.PluginPolicy, want string) {
	t.Helper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(v1alpha1.GroupVersion().WithKind("PluginPolicy"))
	object.SetName(policy.Name)
	get(t, object)
	if got := kstatusOf(t, object); got != want {
		t.Errorf("policy %s is %s for kstatus, want %s: %v", policy.Name, got, want, object.Object["status"])
	}
}

// TestAuditThenEnforce proves that a policy with mode Audit changes no pod and reports its effect in warnings and in
// its status, and that mode Enforce then has this effect.
func TestAuditThenEnforce(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	source(t, ns, quiet, "1.0.0")
	policy := createPolicy(t, "audits", policySpec{Plugins: plugins(quiet), Mode: v1alpha1.Audit}, ns)
	shared.Create(t, kongPod(ns, "before"))
	cluster.Eventually(t, func(ctx context.Context) error {
		warnings := kubectlWarnings(ctx, t, ns, "run", "kong", "--image=kong:3.9", "--dry-run=server")
		if !strings.Contains(warnings, `audited policy "audits-`+ns+`" would give this pod the plugin "quiet"`) {
			return fmt.Errorf("the warnings are %q", warnings)
		}
		return nil
	})
	if created, err := createDryRun(t.Context(), kongPod(ns, "kong")); err != nil || kongPlugins(created) != "" {
		t.Errorf("under an audited policy, KONG_PLUGINS is %q: %v", kongPlugins(created), err)
	}
	wantStatus(t, policy, "Mode Enforce would change 1 pod", func(status policyStatus) bool {
		return status.Namespaces == 1 && status.Pods == 1 && status.Outdated == 1 && status.Injected == 0
	})
	change(t, policy, func(policy *v1alpha1.PluginPolicy) { policy.Spec.Mode = v1alpha1.Enforce })
	wantKongPlugins(t, kongPod(ns, "kong"), "bundled,quiet")
	shared.Create(t, kongPod(ns, "after"))
	before := v1alpha1.WorkloadReference{Namespace: ns, Kind: "Pod", Name: "before"}
	message := `Restart these workloads to update 1 pod: "` + ns + `/Pod/before"`
	wantStatus(t, policy, message, func(status policyStatus) bool {
		return status.Pods == 2 && status.Outdated == 1 && status.Injected == 1 &&
			slices.Equal(status.WorkloadsToRestart, []v1alpha1.WorkloadReference{before})
	})
	table := kubectl(t, ns, "get", "kdpol", policy.Name)
	for _, text := range []string{"MODE", "OUTDATED", "Enforce", "True"} {
		if !strings.Contains(table, text) {
			t.Errorf("the table does not contain %q:\n%s", text, table)
		}
	}
}

// TestDenialsDoNotChangeReady proves that the condition PodsDenied reports the workloads whose pods a policy denies.
// Ready stays True, because a tenant's mistake is not an error of the policy.
func TestDenialsDoNotChangeReady(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	source(t, ns, "own", "1.0.0")
	policy := createPolicy(t, "forbids", policySpec{Allowed: []string{"dao-*"}}, ns)
	requesting := deployment(ns, "kong", 1)
	requesting.Spec.Template.Annotations = map[string]string{annotations.Plugins: "own"}
	shared.Create(t, requesting)
	message := `The policy denied pods of 1 workload in the last hour: "` + ns + `/ReplicaSet/kong-`
	wantStatus(t, policy, "Applies to 1 namespace", func(status policyStatus) bool {
		return status.Denied == 1 && len(status.Denials) == 1 &&
			strings.HasPrefix(status.Denials[0].Workloads[0].String(), ns+"/ReplicaSet/kong-") &&
			hasDenied(status, v1alpha1.ReasonDenied, message)
	})
	if !meta.IsStatusConditionTrue(policy.Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("a denial changed the condition Ready: %+v", policy.Status.Conditions)
	}
	for _, conditionType := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if condition := meta.FindStatusCondition(policy.Status.Conditions, conditionType); condition != nil {
			t.Errorf("a policy without errors has the condition %+v", condition)
		}
	}
	wantPolicyKstatus(t, policy, "Current")
}

// TestAuditedDenialsAreReported proves that a pod which an audited policy would deny is created, and that an Event on
// its controller and the policy's status report it.
func TestAuditedDenialsAreReported(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	source(t, ns, "own", "1.0.0")
	policy := createPolicy(t, "audits", policySpec{Allowed: []string{"dao-*"}, Mode: v1alpha1.Audit}, ns)
	requesting := deployment(ns, "kong", 1)
	requesting.Spec.Template.Annotations = map[string]string{annotations.Plugins: "own"}
	shared.Create(t, requesting)
	podsOf(t, ns, "kong", 1, func(pod *corev1.Pod) bool { return kongPlugins(pod) == "bundled,own" })
	wantEvent(t, ns, "ReplicaSet", "PolicyAudited",
		`audited policies would deny this pod: plugin "own@1.0.0": policy "`+policy.Name+`" does not allow it`)
	wantStatus(t, policy, "Applies to 1 namespace", func(status policyStatus) bool {
		return status.Denied == 1 && hasDenied(status, v1alpha1.ReasonWouldDeny,
			"The policy would have denied pods of 1 workload in the last hour: ")
	})
	kubectl(t, ns, "wait", "--for=condition=Ready", "pluginpolicy/"+policy.Name, "--timeout=1s")
}

// TestNamespaceIsLabelledLater proves that a policy applies to a namespace from the moment when the namespace gets the
// label, and that pods which already run there are outdated.
func TestNamespaceIsLabelledLater(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	source(t, ns, quiet, "1.0.0")
	policy := &v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: "later-" + ns}, Spec: policySpec{
		Plugins: plugins(quiet), NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": ns}},
	}}
	createPolicyObject(t, policy)
	shared.Create(t, kongPod(ns, "before"))
	change(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, func(namespace *corev1.Namespace) {
		namespace.Labels["team"] = ns
	})
	wantKongPlugins(t, kongPod(ns, "kong"), "bundled,quiet")
	wantStatus(t, policy, "", func(status policyStatus) bool { return status.Namespaces == 1 && status.Outdated == 1 })
}

// TestPolicyForAllNamespaces proves that a policy without selectors applies to all namespaces except those that the
// installation excludes. The test is not parallel, because the policy applies to the namespaces of other tests.
func TestPolicyForAllNamespaces(t *testing.T) {
	ns := shared.CreateNamespace(t)
	policy := &v1alpha1.PluginPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "everywhere"},
		Spec:       policySpec{Plugins: plugins(quiet), Mode: v1alpha1.Audit},
	}
	shared.Create(t, policy, kongPod(ns, "kong"))
	t.Cleanup(func() {
		if err := webhook.Admin.Delete(context.Background(), policy); err != nil {
			t.Error(err)
		}
	})
	cluster.Eventually(t, func(ctx context.Context) error {
		var namespaces corev1.NamespaceList
		err := errors.Join(webhook.Admin.List(ctx, &namespaces),
			webhook.Admin.Get(ctx, client.ObjectKeyFromObject(policy), policy))
		if err != nil {
			return err
		}
		want := len(namespaces.Items) - 2 // without kube-system and kongdao's own
		if got := int(policy.Status.Namespaces); got != want || policy.Status.Outdated == 0 {
			return fmt.Errorf("the policy selects %d namespaces, want %d; its status is %+v", got, want, policy.Status)
		}
		return nil
	})
}

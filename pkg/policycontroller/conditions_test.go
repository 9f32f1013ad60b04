package policycontroller

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

// texts returns the conditions as "Status Reason: Message" by their types.
func texts(conditions []metav1.Condition) map[string]string {
	all := map[string]string{}
	for _, condition := range conditions {
		all[condition.Type] = string(condition.Status) + " " + condition.Reason + ": " + condition.Message
	}
	return all
}

// TestConditions proves which conditions follow from the counts and from errors.
func TestConditions(t *testing.T) {
	plugins := []annotations.PluginRef{{Name: "dao-test"}}
	enforced, audited := &policy.Policy{Plugins: plugins}, &policy.Policy{Plugins: plugins, Audits: true}
	gateway := v1alpha1.WorkloadReference{Namespace: "shop", Kind: "Deployment", Name: "gateway"}
	replicaSet := v1alpha1.WorkloadReference{Namespace: "shop", Kind: "ReplicaSet", Name: "gateway-1"}
	const noneDenied = "False NoneDenied: "
	for name, test := range map[string]struct {
		status   v1alpha1.PluginPolicyStatus
		observed observation
		want     map[string]string
		reason   string
	}{
		"enforced": {
			status:   v1alpha1.PluginPolicyStatus{Namespaces: 2, Pods: 3, Injected: 3},
			observed: observation{policy: enforced},
			want:     map[string]string{"Ready": "True Enforced: 3 of 3 pods in 2 namespaces have the plugins", "PodsDenied": noneDenied},
		},
		"outdated pods": {
			status: v1alpha1.PluginPolicyStatus{
				Namespaces: 1, Pods: 1, Outdated: 1, WorkloadsToRestart: []v1alpha1.WorkloadReference{gateway},
			},
			observed: observation{policy: enforced},
			want: map[string]string{
				"Ready":      `True Enforced: 0 of 1 pod in 1 namespace have the plugins. Restart these workloads to update 1 pod: "shop/Deployment/gateway"`,
				"PodsDenied": noneDenied,
			},
			reason: "the policy works; a person restarts the pods",
		},
		"audited": {
			status: v1alpha1.PluginPolicyStatus{
				Namespaces: 1, Pods: 2, Outdated: 2, WorkloadsToRestart: []v1alpha1.WorkloadReference{gateway},
			},
			observed: observation{policy: audited},
			want: map[string]string{
				"Ready":      "True Audited: 0 of 2 pods in 1 namespace have the plugins. Mode Enforce would change 2 pods",
				"PodsDenied": noneDenied,
			},
			reason: "nothing has to be restarted",
		},
		"without plugins": {
			status:   v1alpha1.PluginPolicyStatus{Namespaces: 1},
			observed: observation{policy: &policy.Policy{Library: "plugins"}},
			want:     map[string]string{"Ready": "True Enforced: Applies to 1 namespace", "PodsDenied": noneDenied},
			reason:   "pods are not counted",
		},
		"denied": {
			status:   v1alpha1.PluginPolicyStatus{Namespaces: 1},
			observed: observation{policy: enforced, denied: []v1alpha1.WorkloadReference{gateway, replicaSet}},
			want: map[string]string{
				"Ready": "True Enforced: 0 of 0 pods in 1 namespace have the plugins",
				"PodsDenied": `True Denied: The policy denied pods of 2 workloads in the last hour: "shop/Deployment/gateway" and "shop/ReplicaSet/gateway-1". ` +
					`The Events of these workloads say why`,
			},
			reason: "a tenant's mistake does not make the policy unready",
		},
		"would deny": {
			status:   v1alpha1.PluginPolicyStatus{Namespaces: 1},
			observed: observation{policy: audited, denied: []v1alpha1.WorkloadReference{replicaSet}},
			want: map[string]string{
				"Ready": "True Audited: 0 of 0 pods in 1 namespace have the plugins",
				"PodsDenied": `True WouldDeny: The policy would have denied pods of 1 workload in the last hour: "shop/ReplicaSet/gateway-1". ` +
					`The Events of these workloads say why`,
			},
		},
		"invalid": {
			observed: observation{invalid: errors.New(`policy "p": mode: is "x"`), denied: []v1alpha1.WorkloadReference{replicaSet}},
			want: map[string]string{
				"Ready":   `False Invalid: policy "p": mode: is "x"`,
				"Stalled": `True Invalid: policy "p": mode: is "x"`,
				"PodsDenied": `True Denied: The policy denied pods of 1 workload in the last hour: "shop/ReplicaSet/gateway-1". ` +
					`The Events of these workloads say why`,
			},
			reason: "a person must change it; what an earlier generation denied stays for an hour",
		},
		"invalid, and the webhook is not called": {
			observed: observation{invalid: errors.New("wrong"), webhook: errors.New("timeout")},
			want:     map[string]string{"Ready": "False Invalid: wrong", "Stalled": "True Invalid: wrong", "PodsDenied": noneDenied},
			reason:   "the webhook would not help",
		},
		"webhook not called": {
			observed: observation{policy: enforced, webhook: errors.New("timeout")},
			want: map[string]string{
				"Ready":       "False WebhookNotCalled: Kong pods without an annotation may start without the plugins: timeout",
				"Reconciling": "True WebhookNotCalled: Kong pods without an annotation may start without the plugins: timeout",
				"PodsDenied":  noneDenied,
			},
			reason: "the controller tries again",
		},
		"webhook not installed": {
			observed: observation{policy: enforced, webhook: errors.Join(installationError{errors.New("not found")})},
			want: map[string]string{
				"Ready":      "False WebhookNotCalled: Kong pods without an annotation may start without the plugins: not found",
				"Stalled":    "True WebhookNotCalled: Kong pods without an annotation may start without the plugins: not found",
				"PodsDenied": noneDenied,
			},
			reason: "only a new installation helps",
		},
		"webhook not needed": {
			observed: observation{policy: &policy.Policy{Library: "plugins"}, webhook: errors.New("timeout")},
			want:     map[string]string{"Ready": "True Enforced: Applies to 0 namespaces", "PodsDenied": noneDenied},
			reason:   "the policy only applies to pods with an annotation",
		},
	} {
		t.Run(name, func(t *testing.T) {
			// Conditions of an earlier error must go, and those that stay keep their transition time.
			before := metav1.NewTime(time.Unix(1, 0))
			test.status.Conditions = []metav1.Condition{
				{Type: "Reconciling", Status: metav1.ConditionTrue, Reason: "Before", LastTransitionTime: before},
				{Type: "Stalled", Status: metav1.ConditionTrue, Reason: "Before", LastTransitionTime: before},
				{Type: "PodsDenied", Status: metav1.ConditionFalse, Reason: "Before", LastTransitionTime: before},
			}
			test.status.ObservedGeneration = 7
			setConditions(&test.status, test.observed)
			if diff := cmp.Diff(test.want, texts(test.status.Conditions)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			for _, condition := range test.status.Conditions {
				if condition.ObservedGeneration != 7 {
					t.Errorf("%s is about generation %d", condition.Type, condition.ObservedGeneration)
				}
				if changed := !condition.LastTransitionTime.Equal(&before); condition.Type == "PodsDenied" && changed != (condition.Status == metav1.ConditionTrue) {
					t.Errorf("the transition time of %s is %v", condition.Type, condition.LastTransitionTime)
				}
			}
		})
	}
}

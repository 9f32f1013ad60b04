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

// TestConditions proves which conditions follow from the counts and from errors.
func TestConditions(t *testing.T) {
	plugins := []annotations.PluginRef{{Name: "dao-test"}}
	enforced, audited := &policy.Policy{Plugins: plugins}, &policy.Policy{Plugins: plugins, Audits: true}
	automatic := &policy.Policy{Plugins: plugins, AutoRollout: true}
	onlyLibrary := &policy.Policy{Library: "plugins"}
	gateway := v1alpha1.WorkloadReference{Namespace: "shop", Kind: "Deployment", Name: "gateway"}
	replicaSet := v1alpha1.WorkloadReference{Namespace: "shop", Kind: "ReplicaSet", Name: "gateway-1"}
	one, two := []v1alpha1.WorkloadReference{replicaSet}, []v1alpha1.WorkloadReference{gateway, replicaSet}
	const noneDenied = "False NoneDenied: "
	const oneDenied = `True Denied: The policy denied pods of 1 workload in the last hour: "shop/ReplicaSet/gateway-1". ` +
		`The Events of these workloads say why`
	for name, test := range map[string]struct {
		status   status
		observed observation
		want     map[string]string
		reason   string
	}{
		"enforced": {
			status:   status{Namespaces: 2, Pods: 3, Injected: 3},
			observed: observation{policy: enforced},
			want: map[string]string{
				"Ready":      "True Enforced: 3 of 3 pods in 2 namespaces have the plugins",
				"PodsDenied": noneDenied,
			},
		},
		"outdated pods": {
			status: status{
				Namespaces: 1, Pods: 1, Outdated: 1, WorkloadsToRestart: []v1alpha1.WorkloadReference{gateway},
			},
			observed: observation{policy: enforced},
			want: map[string]string{
				"Ready": "True Enforced: 0 of 1 pod in 1 namespace have the plugins. " +
					`Restart these workloads to update 1 pod: "shop/Deployment/gateway"`,
				"PodsDenied": noneDenied,
			},
			reason: "the policy works; a person restarts the pods",
		},
		"audited": {
			status: status{
				Namespaces: 1, Pods: 2, Outdated: 2, WorkloadsToRestart: []v1alpha1.WorkloadReference{gateway},
			},
			observed: observation{policy: audited},
			want: map[string]string{
				"Ready": "True Audited: 0 of 2 pods in 1 namespace have the plugins. " +
					"Mode Enforce would change 2 pods",
				"PodsDenied": noneDenied,
			},
			reason: "no workload needs a restart",
		},
		"uninjected pods": {
			status: status{
				Namespaces: 1, Pods: 1, Outdated: 1, Uninjected: 1,
				WorkloadsToRestart: []v1alpha1.WorkloadReference{gateway},
			},
			observed: observation{policy: enforced},
			want: map[string]string{
				"Ready": "True Enforced: 0 of 1 pod in 1 namespace have the plugins. " +
					"kongdao was not called for 1 new pod: see the Events PluginsMissing. " +
					`Restart these workloads to update 1 pod: "shop/Deployment/gateway"`,
				"PodsDenied": noneDenied,
			},
			reason: "the API server did not call the webhook",
		},
		"rollouts are disabled": {
			status:   status{Namespaces: 1},
			observed: observation{policy: automatic},
			want: map[string]string{
				"Ready": "True Enforced: 0 of 0 pods in 1 namespace have the plugins. " +
					"rollout: Auto has no effect: set rollouts.enabled to true in kongdao's chart",
				"PodsDenied": noneDenied,
			},
			reason: "the field would do nothing, and nothing else says so",
		},
		"rollouts are enabled": {
			status:   status{Namespaces: 1},
			observed: observation{policy: automatic, runsRollouts: true},
			want: map[string]string{
				"Ready": "True Enforced: 0 of 0 pods in 1 namespace have the plugins", "PodsDenied": noneDenied,
			},
		},
		"without plugins": {
			status:   status{Namespaces: 1},
			observed: observation{policy: onlyLibrary},
			want:     map[string]string{"Ready": "True Enforced: Applies to 1 namespace", "PodsDenied": noneDenied},
			reason:   "pods are not counted",
		},
		"denied": {
			status:   status{Namespaces: 1},
			observed: observation{policy: enforced, denied: two},
			want: map[string]string{
				"Ready": "True Enforced: 0 of 0 pods in 1 namespace have the plugins",
				"PodsDenied": "True Denied: The policy denied pods of 2 workloads in the last hour: " +
					`"shop/Deployment/gateway" and "shop/ReplicaSet/gateway-1". The Events of these workloads say why`,
			},
			reason: "a tenant's mistake does not make the policy unready",
		},
		"would deny": {
			status:   status{Namespaces: 1},
			observed: observation{policy: audited, denied: one},
			want: map[string]string{
				"Ready": "True Audited: 0 of 0 pods in 1 namespace have the plugins",
				"PodsDenied": "True WouldDeny: The policy would have denied pods of 1 workload in the last hour: " +
					`"shop/ReplicaSet/gateway-1". The Events of these workloads say why`,
			},
		},
		"invalid": {
			observed: observation{invalid: errors.New(`policy "p": mode: is "x"`), denied: one},
			want: map[string]string{
				"Ready":      `False Invalid: policy "p": mode: is "x"`,
				"Stalled":    `True Invalid: policy "p": mode: is "x"`,
				"PodsDenied": oneDenied,
			},
			reason: "a person must change it; the denials of an earlier generation stay for an hour",
		},
		"invalid, and the webhook is not called": {
			observed: observation{invalid: errors.New("wrong"), webhook: errors.New("timeout")},
			want: map[string]string{
				"Ready": "False Invalid: wrong", "Stalled": "True Invalid: wrong", "PodsDenied": noneDenied,
			},
			reason: "the webhook would not help",
		},
		"webhook not called": {
			observed: observation{policy: enforced, webhook: errors.New("timeout")},
			want: map[string]string{
				"Ready": "False WebhookNotCalled: Kong pods without an annotation may start without the plugins: " +
					"timeout",
				"Reconciling": "True WebhookNotCalled: Kong pods without an annotation may start without the plugins: " +
					"timeout",
				"PodsDenied": noneDenied,
			},
			reason: "the controller tries again",
		},
		"webhook not installed": {
			observed: observation{policy: enforced, webhook: errors.Join(installationError{errors.New("not found")})},
			want: map[string]string{
				"Ready": "False WebhookNotCalled: Kong pods without an annotation may start without the plugins: " +
					"not found",
				"Stalled": "True WebhookNotCalled: Kong pods without an annotation may start without the plugins: " +
					"not found",
				"PodsDenied": noneDenied,
			},
			reason: "only a new installation helps",
		},
		"webhook not needed": {
			observed: observation{policy: onlyLibrary, webhook: errors.New("timeout")},
			want:     map[string]string{"Ready": "True Enforced: Applies to 0 namespaces", "PodsDenied": noneDenied},
			reason:   "the policy only applies to pods with an annotation",
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.status.Conditions = earlierConditions()
			test.status.ObservedGeneration = 7
			setConditions(&test.status, test.observed)
			if diff := cmp.Diff(test.want, conditionTexts(test.status.Conditions)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			checkTransitions(t, test.status.Conditions)
		})
	}
}

// conditionTexts returns the conditions as "Status Reason: Message" by their types.
func conditionTexts(conditions []metav1.Condition) map[string]string {
	all := map[string]string{}
	for _, condition := range conditions {
		all[condition.Type] = string(condition.Status) + " " + condition.Reason + ": " + condition.Message
	}
	return all
}

// earlierTime is the transition time of earlierConditions.
func earlierTime() metav1.Time { return metav1.NewTime(time.Unix(1, 0)) }

// earlierConditions returns the conditions of an earlier generation that failed and denied no pods.
func earlierConditions() []metav1.Condition {
	return []metav1.Condition{
		{Type: "Reconciling", Status: metav1.ConditionTrue, Reason: "Earlier", LastTransitionTime: earlierTime()},
		{Type: "Stalled", Status: metav1.ConditionTrue, Reason: "Earlier", LastTransitionTime: earlierTime()},
		{Type: "PodsDenied", Status: metav1.ConditionFalse, Reason: "Earlier", LastTransitionTime: earlierTime()},
	}
}

// checkTransitions checks that the conditions describe generation 7, and that PodsDenied has a new transition time only
// if its status changed.
func checkTransitions(t *testing.T, conditions []metav1.Condition) {
	t.Helper()
	earlier := earlierTime()
	for _, condition := range conditions {
		if condition.ObservedGeneration != 7 {
			t.Errorf("%s describes generation %d, want 7", condition.Type, condition.ObservedGeneration)
		}
		changed := condition.Status == metav1.ConditionTrue
		if condition.Type == "PodsDenied" && condition.LastTransitionTime.Equal(&earlier) == changed {
			t.Errorf("the transition time of %s is %v", condition.Type, condition.LastTransitionTime)
		}
	}
}

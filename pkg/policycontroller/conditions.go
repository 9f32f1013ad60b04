package policycontroller

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/policy"
)

// observation is what the controller knows about a policy in addition to its counts.
type observation struct {
	// policy is nil if the PluginPolicy is invalid.
	policy  *policy.Policy
	invalid error
	// webhook is why API servers may not call the webhook for pods without an annotation, nil if they do.
	webhook error
	// denied are the workloads whose pods the policy denied, or would have denied.
	denied []v1alpha1.WorkloadReference
	// runsRollouts reports whether workloads move to new releases if a policy says so.
	runsRollouts bool
}

// setConditions sets the conditions of a status from its counts and an observation. A condition that does not change
// keeps its transition time. Reconciling and Stalled are present only while they are True. Tools that use kstatus read
// Ready, Reconciling and Stalled (fact P9).
func setConditions(status *v1alpha1.PluginPolicyStatus, observed observation) {
	set := func(condition metav1.Condition) {
		condition.ObservedGeneration = status.ObservedGeneration
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	ready := readyCondition(status, observed)
	set(ready)
	set(deniedCondition(observed))
	present := ""
	if ready.Status != metav1.ConditionTrue {
		present = v1alpha1.ConditionReconciling
		var installation installationError
		if observed.invalid != nil || errors.As(observed.webhook, &installation) {
			present = v1alpha1.ConditionStalled
		}
	}
	for _, conditionType := range []string{v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled} {
		if conditionType != present {
			meta.RemoveStatusCondition(&status.Conditions, conditionType)
			continue
		}
		set(metav1.Condition{
			Type: conditionType, Status: metav1.ConditionTrue, Reason: ready.Reason, Message: ready.Message,
		})
	}
}

// readyCondition describes the policy itself, not what it does to pods.
func readyCondition(status *v1alpha1.PluginPolicyStatus, observed observation) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	switch {
	case observed.invalid != nil:
		condition.Reason, condition.Message = v1alpha1.ReasonInvalid, observed.invalid.Error()
	case observed.webhook != nil && len(observed.policy.Plugins) > 0:
		condition.Reason = v1alpha1.ReasonWebhookNotCalled
		condition.Message = fmt.Sprintf(
			"Kong pods without an annotation may start without the plugins: %v", observed.webhook)
	default:
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonEnforced
		if observed.policy.Audits {
			condition.Reason = v1alpha1.ReasonAudited
		}
		condition.Message = progress(status, observed.policy)
		if observed.policy.AutoRollout && !observed.runsRollouts {
			condition.Message += ". rollout: Auto has no effect: set rollouts.enabled to true in kongdao's chart"
		}
	}
	return condition
}

// progress says how many pods have the plugins of a policy, and what to restart.
func progress(status *v1alpha1.PluginPolicyStatus, policy *policy.Policy) string {
	namespaces := quantity(int(status.Namespaces), "namespace")
	if len(policy.Plugins) == 0 {
		return "Applies to " + namespaces
	}
	text := fmt.Sprintf("%d of %s in %s have the plugins", status.Injected, quantity(int(status.Pods), "pod"), namespaces)
	if status.Uninjected > 0 {
		text = fmt.Sprintf("%s. kongdao was not called for %s: see the Events %s",
			text, quantity(int(status.Uninjected), "new pod"), events.PluginsMissing)
	}
	switch {
	case status.Outdated == 0:
		return text
	case policy.Audits:
		return fmt.Sprintf("%s. Mode Enforce would change %s", text, quantity(int(status.Outdated), "pod"))
	}
	return fmt.Sprintf("%s. Restart these workloads to update %s: %s",
		text, quantity(int(status.Outdated), "pod"), quoteWorkloads(status.WorkloadsToRestart))
}

// deniedCondition says whether the policy denied pods.
func deniedCondition(observed observation) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionPodsDenied, Status: metav1.ConditionTrue}
	if len(observed.denied) == 0 {
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonNoneDenied
		return condition
	}
	condition.Reason = v1alpha1.ReasonDenied
	verb := "denied"
	if observed.policy != nil && observed.policy.Audits {
		condition.Reason, verb = v1alpha1.ReasonWouldDeny, "would have denied"
	}
	condition.Message = fmt.Sprintf("The policy %s pods of %s in the last hour: %s. The Events of these workloads say why",
		verb, quantity(len(observed.denied), "workload"), quoteWorkloads(observed.denied))
	return condition
}

// quoteWorkloads returns the first workloads as quoted text.
func quoteWorkloads(workloads []v1alpha1.WorkloadReference) string {
	names := make([]string, len(workloads))
	for i, workload := range workloads {
		names[i] = workload.String()
	}
	return denial.QuoteNames(names)
}

// quantity returns a number with its noun, such as "1 pod" or "2 pods".
func quantity(number int, noun string) string {
	if number != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", number, noun)
}

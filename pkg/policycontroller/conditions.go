package policycontroller

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/policy"
)

// verdict is what the controller knows about a policy besides its counts.
type verdict struct {
	// policy is nil if the PluginPolicy is invalid.
	policy  *policy.Policy
	invalid error
	// webhook is why API servers may not call the webhook for pods without an annotation, nil if they do.
	webhook error
	// denied are the workloads whose pods the policy denied, or would have denied.
	denied []v1alpha1.WorkloadReference
}

// setConditions sets the conditions of a status from its counts and a verdict. A condition that does not change keeps
// its transition time. Reconciling and Stalled are present only while they are True, as kstatus expects (fact P9).
func setConditions(status *v1alpha1.PluginPolicyStatus, verdict verdict) {
	ready := readyCondition(status, verdict)
	set := func(condition metav1.Condition) {
		condition.ObservedGeneration = status.ObservedGeneration
		meta.SetStatusCondition(&status.Conditions, condition)
	}
	set(ready)
	set(deniedCondition(verdict))
	retried, stalled := v1alpha1.ConditionReconciling, v1alpha1.ConditionStalled
	var installation installationError
	switch {
	case ready.Status == metav1.ConditionTrue:
		meta.RemoveStatusCondition(&status.Conditions, retried)
		meta.RemoveStatusCondition(&status.Conditions, stalled)
	case verdict.invalid != nil || errors.As(verdict.webhook, &installation):
		meta.RemoveStatusCondition(&status.Conditions, retried)
		set(metav1.Condition{Type: stalled, Status: metav1.ConditionTrue, Reason: ready.Reason, Message: ready.Message})
	default:
		meta.RemoveStatusCondition(&status.Conditions, stalled)
		set(metav1.Condition{Type: retried, Status: metav1.ConditionTrue, Reason: ready.Reason, Message: ready.Message})
	}
}

// readyCondition describes the policy itself, not what it does to pods.
func readyCondition(status *v1alpha1.PluginPolicyStatus, verdict verdict) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse}
	switch {
	case verdict.invalid != nil:
		condition.Reason, condition.Message = v1alpha1.ReasonInvalid, verdict.invalid.Error()
	case verdict.webhook != nil && len(verdict.policy.Plugins) > 0:
		condition.Reason = v1alpha1.ReasonWebhookNotCalled
		condition.Message = fmt.Sprintf("Kong pods without an annotation may start without the plugins: %v", verdict.webhook)
	default:
		condition.Status, condition.Reason = metav1.ConditionTrue, v1alpha1.ReasonEnforced
		if verdict.policy.Audits {
			condition.Reason = v1alpha1.ReasonAudited
		}
		condition.Message = progress(status, verdict.policy)
	}
	return condition
}

// progress says how many pods have the plugins of a policy, and what to restart.
func progress(status *v1alpha1.PluginPolicyStatus, policy *policy.Policy) string {
	namespaces := count(status.Namespaces, "namespace")
	if len(policy.Plugins) == 0 {
		return "Applies to " + namespaces
	}
	text := fmt.Sprintf("%d of %s in %s have the plugins", status.Injected, count(status.Pods, "pod"), namespaces)
	switch {
	case status.Outdated == 0:
		return text
	case policy.Audits:
		return fmt.Sprintf("%s. Mode Enforce would change %s", text, count(status.Outdated, "pod"))
	}
	return fmt.Sprintf("%s. %s started without them: restart %s", text, count(status.Outdated, "pod"), quoteWorkloads(status.WorkloadsToRestart))
}

// deniedCondition says whether the policy denied pods.
func deniedCondition(verdict verdict) metav1.Condition {
	condition := metav1.Condition{Type: v1alpha1.ConditionPodsDenied, Status: metav1.ConditionTrue}
	if len(verdict.denied) == 0 {
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonNoneDenied
		return condition
	}
	condition.Reason = v1alpha1.ReasonDenied
	verb := "denied"
	if verdict.policy != nil && verdict.policy.Audits {
		condition.Reason, verb = v1alpha1.ReasonWouldDeny, "would have denied"
	}
	condition.Message = fmt.Sprintf("The policy %s pods of %s in the last hour: %s. The Events of these workloads say why",
		verb, count(int32(min(len(verdict.denied), 1<<30)), "workload"), quoteWorkloads(verdict.denied)) //nolint:gosec // G115: bounded
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

// count returns a number with its noun, such as "1 pod" or "2 pods".
func count(number int32, noun string) string {
	if number != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", number, noun)
}

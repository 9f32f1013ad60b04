package policycontroller

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/policy"
)

// mostToRoll is how many workloads a status names.
const mostToRoll = 20

// report writes what was counted into the statuses, and into the metrics.
func (c *Controller) report(ctx context.Context, all policies, tallies map[string]*tally, uncalled error) error {
	var failed []error
	var shown []v1alpha1.PluginPolicy
	for i := range all.read {
		read := &all.read[i]
		status := read.Status.DeepCopy()
		condition := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonInEffect}
		if invalid := all.invalid[read.Name]; invalid != nil {
			condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, v1alpha1.ReasonInvalid, invalid.Error()
		} else {
			condition = c.summarize(status, condition, tallies[read.Name], all.compiled[read.Name], uncalled)
		}
		shown = append(shown, v1alpha1.PluginPolicy{ObjectMeta: metav1.ObjectMeta{Name: read.Name}, Spec: read.Spec, Status: *status})
		failed = append(failed, c.write(ctx, read, status, condition))
	}
	c.Metrics.show(shown)
	return errors.Join(failed...)
}

// summarize makes a policy's status of what was counted, and yields its condition.
func (c *Controller) summarize(status *v1alpha1.PluginPolicyStatus, condition metav1.Condition, counted *tally, compiled *policy.Policy, uncalled error) metav1.Condition {
	denials, conditions := status.Denials, status.Conditions
	*status = counted.PluginPolicyStatus
	status.Conditions, status.Denials = conditions, c.Denials.recent(denials)
	names := deniedOf(status.Denials)
	status.Denied = int32(min(len(names), 1<<30))
	status.ToRoll = some(counted.toRoll)
	condition = conditionOf(condition, compiled, status, names)
	if uncalled != nil && len(compiled.Plugins) > 0 {
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonNotCalled
		condition.Message = fmt.Sprintf("pods that ask for nothing may not get what it wants: %v; %s", uncalled, condition.Message)
	}
	return condition
}

// write writes a policy's status where it is another now.
func (c *Controller) write(ctx context.Context, read *v1alpha1.PluginPolicy, status *v1alpha1.PluginPolicyStatus, condition metav1.Condition) error {
	status.ObservedGeneration, condition.ObservedGeneration = read.Generation, read.Generation
	meta.SetStatusCondition(&status.Conditions, condition)
	if equality.Semantic.DeepEqual(&read.Status, status) {
		return nil
	}
	changed := read.DeepCopy()
	changed.Status = *status
	if err := c.Client.Status().Update(ctx, changed); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of PluginPolicy %q: %w", read.Name, err)
	}
	return nil
}

// conditionOf says in a sentence what a policy comes to.
func conditionOf(condition metav1.Condition, compiled *policy.Policy, status *v1alpha1.PluginPolicyStatus, denied []string) metav1.Condition {
	verb := "lack"
	if compiled.Audits {
		condition.Reason, verb = v1alpha1.ReasonAudited, "would get"
	}
	condition.Message = fmt.Sprintf("%d of %s in %s have what it wants", status.Injected, count(status.Pods, "pod"), count(status.Namespaces, "namespace"))
	if status.Lacking > 0 {
		condition.Message += fmt.Sprintf("; %d %s something", status.Lacking, verb)
		if !compiled.Audits {
			condition.Message += ", for they were made before: roll " + denial.QuoteNames(status.ToRoll)
		}
	}
	if len(denied) > 0 {
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonDenies
		verb := "denied"
		if compiled.Audits {
			verb = "would have denied"
		}
		condition.Message = fmt.Sprintf("in the last hour it %s pods of %s; Events on them say why; %s", verb, denial.QuoteNames(denied), condition.Message)
	}
	return condition
}

// count is a number of things.
func count(of int32, what string) string {
	if of != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", of, what)
}

// some are the first of a set, sorted.
func some(set map[string]bool) []string {
	var names []string
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names[:min(len(names), mostToRoll)]
}

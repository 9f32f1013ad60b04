package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/pkg/refusal"
)

// pageSize bounds what one read holds of pods.
const pageSize = 200

// mostToRoll is how many workloads a status names.
const mostToRoll = 20

// tally is what is counted of one policy.
type tally struct {
	v1alpha1.PluginPolicyStatus
	toRoll map[string]bool
}

// count counts what there is, and writes the statuses that are others now.
func (c *Controller) count(ctx context.Context, policies []v1alpha1.PluginPolicy, compiled map[string]*policy.Policy, invalid map[string]error) error {
	tallies := map[string]*tally{}
	for name := range compiled {
		tallies[name] = &tally{toRoll: map[string]bool{}}
	}
	var namespaces corev1.NamespaceList
	if err := c.Client.List(ctx, &namespaces); err != nil {
		return fmt.Errorf("read the namespaces: %w", err)
	}
	for i := range namespaces.Items {
		namespace := &namespaces.Items[i]
		if namespace.Name == metav1.NamespaceSystem || namespace.Name == c.System {
			continue
		}
		var selecting []*policy.Policy
		for _, one := range compiled {
			if one.SelectsNamespace(namespace.Labels) {
				selecting = append(selecting, one)
				tallies[one.Name].Namespaces++
			}
		}
		if slices.ContainsFunc(selecting, func(one *policy.Policy) bool { return len(one.Plugins) > 0 }) {
			if err := c.countPods(ctx, namespace.Name, selecting, tallies); err != nil {
				return err
			}
		}
	}
	var failed []error
	for i := range policies {
		failed = append(failed, c.write(ctx, &policies[i], compiled[policies[i].Name], tallies[policies[i].Name], invalid[policies[i].Name]))
	}
	return errors.Join(failed...)
}

func (c *Controller) countPods(ctx context.Context, namespace string, selecting []*policy.Policy, tallies map[string]*tally) error {
	page := &corev1.PodList{}
	for {
		err := c.Live.List(ctx, page, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(page.Continue))
		if err != nil {
			return fmt.Errorf("read the pods of namespace %q: %w", namespace, err)
		}
		for i := range page.Items {
			if err := countPod(&page.Items[i], selecting, tallies); err != nil {
				return err
			}
		}
		if page.Continue == "" {
			return nil
		}
	}
}

func countPod(pod *corev1.Pod, selecting []*policy.Policy, tallies map[string]*tally) error {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed || pod.DeletionTimestamp != nil {
		return nil
	}
	text, err := json.Marshal(pod)
	if err != nil {
		return fmt.Errorf("read pod %q: %w", pod.Namespace+"/"+pod.Name, err)
	}
	view, err := mutate.DecodePod(text)
	if err != nil {
		return fmt.Errorf("read pod %q: %w", pod.Namespace+"/"+pod.Name, err)
	}
	if !mutate.IsKong(view) {
		return nil
	}
	var mark mutate.Mark
	_ = json.Unmarshal([]byte(pod.Annotations[annotations.Injection]), &mark) // what is no mark has no releases
	for _, one := range selecting {
		if len(one.Plugins) == 0 || !one.SelectsPod(pod.Labels) {
			continue
		}
		counted := tallies[one.Name]
		counted.Pods++
		switch {
		case carries(mark, one.Plugins):
			counted.Injected++
		case one.OptOut && pod.Annotations[annotations.Inject] == "false":
			counted.OptedOut++
		default:
			counted.Lacking++
			counted.toRoll[workloadOf(pod)] = true
		}
	}
	return nil
}

// carries reports whether a pod was given all of the plugins.
func carries(mark mutate.Mark, wanted []annotations.PluginRef) bool {
	return !slices.ContainsFunc(wanted, func(ref annotations.PluginRef) bool {
		return !slices.ContainsFunc(mark.Releases, func(release mutate.ReleaseMark) bool {
			return release.Plugin == ref.Name && (ref.Version == "" || release.Version == ref.Version)
		})
	})
}

// workloadOf names what has to be rolled for a pod: its controller; of a
// ReplicaSet of a Deployment's, by its name, the Deployment.
func workloadOf(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return pod.Namespace + "/Pod/" + pod.Name
	}
	hash := pod.Labels["pod-template-hash"]
	if name, cut := strings.CutSuffix(owner.Name, "-"+hash); cut && hash != "" && owner.Kind == "ReplicaSet" {
		return pod.Namespace + "/Deployment/" + name
	}
	return pod.Namespace + "/" + owner.Kind + "/" + owner.Name
}

// write writes a policy's status where it is another now.
func (c *Controller) write(ctx context.Context, read *v1alpha1.PluginPolicy, compiled *policy.Policy, counted *tally, invalid error) error {
	status := read.Status.DeepCopy()
	condition := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonInEffect, ObservedGeneration: read.Generation}
	if invalid != nil {
		condition.Status, condition.Reason, condition.Message = metav1.ConditionFalse, v1alpha1.ReasonInvalid, invalid.Error()
	} else {
		refusals, conditions := status.Refusals, status.Conditions
		*status = counted.PluginPolicyStatus
		status.Conditions, status.Refusals = conditions, c.Refusals.recent(refusals)
		names := refusedOf(status.Refusals)
		status.Refused = int32(min(len(names), 1<<30)) //nolint:gosec // G115: bounded
		status.ToRoll = some(counted.toRoll)
		condition = conditionOf(condition, compiled, status, names)
	}
	status.ObservedGeneration = read.Generation
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
func conditionOf(condition metav1.Condition, compiled *policy.Policy, status *v1alpha1.PluginPolicyStatus, refused []string) metav1.Condition {
	verb := "lack"
	if compiled.Audits {
		condition.Reason, verb = v1alpha1.ReasonAudited, "would get"
	}
	condition.Message = fmt.Sprintf("%d of %d pods in %d namespaces have what it wants", status.Injected, status.Pods, status.Namespaces)
	if status.Lacking > 0 {
		condition.Message += fmt.Sprintf("; %d %s something", status.Lacking, verb)
		if !compiled.Audits {
			condition.Message += ", for they were made before: roll " + refusal.Names(status.ToRoll)
		}
	}
	if len(refused) > 0 {
		condition.Status, condition.Reason = metav1.ConditionFalse, v1alpha1.ReasonRefuses
		condition.Message = fmt.Sprintf("in the last hour it refused pods of %s; Events on them say why; %s", refusal.Names(refused), condition.Message)
		if compiled.Audits {
			condition.Message = strings.Replace(condition.Message, "it refused", "it would have refused", 1)
		}
	}
	return condition
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

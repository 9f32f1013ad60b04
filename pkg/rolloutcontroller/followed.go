package rolloutcontroller

import (
	"maps"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/rollout"
	"kongdao.io/kongdao/pkg/upgrade"
	"kongdao.io/kongdao/pkg/workloads"
)

// followed is what the controller keeps of a workload. Its metadata has only the namespace, the name, the versions and
// the annotations of kongdao.
type followed struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	selector labels.Selector
	template mutate.Pod
	progress upgrade.Progress
	stuck    string
}

// DeepCopyObject implements runtime.Object. A followed workload does not change, so it copies nothing.
func (f *followed) DeepCopyObject() runtime.Object { return f }

// follower follows the workloads of a kind.
type follower = clusterstate.Follower[*followed]

// newFollowers returns a follower for each kind of workload, by kind. With policies, it follows all workloads that may
// run Kong, and otherwise those with the annotation kongdao.io/rollout.
func newFollowers(live client.WithWatch, policies bool, namespaces []string) map[string]*follower {
	followers := map[string]*follower{}
	for _, kind := range workloads.Kinds() {
		name := workloads.KindOf(kind.New())
		followers[name] = clusterstate.NewFollower(live, clusterstate.FollowerOptions[*followed]{
			Name: "each " + name, Empty: &followed{}, NewList: kind.NewList, Namespaces: namespaces,
			Reduce: func(object runtime.Object) (*followed, bool) { return reduce(object, policies) },
			IsSame: isSame,
		})
	}
	return followers
}

// reduce returns what to keep of a workload. It returns false for a workload that nothing moves.
func reduce(object runtime.Object, policies bool) (reduced *followed, counts bool) {
	workload, ok := object.(client.Object)
	if !ok {
		return &followed{}, false
	}
	reduced = &followed{
		TypeMeta: metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: workloads.KindOf(workload)},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: workload.GetNamespace(), Name: workload.GetName(), UID: workload.GetUID(),
			ResourceVersion: workload.GetResourceVersion(), Generation: workload.GetGeneration(),
		},
	}
	template := workloads.Template(workload)
	mayMove := workload.GetAnnotations()[annotations.Rollout] != "" || policies && clusterstate.MayRunKong(&template.Spec)
	if workload.GetDeletionTimestamp() != nil || !mayMove {
		return reduced, false
	}
	var err error
	if reduced.template, err = workloads.TemplateView(workload); err != nil {
		return reduced, false
	}
	if reduced.selector, err = metav1.LabelSelectorAsSelector(selectorOf(workload)); err != nil {
		return reduced, false
	}
	reduced.Annotations = map[string]string{}
	for name, value := range workload.GetAnnotations() {
		if strings.HasPrefix(name, annotations.Prefix) {
			reduced.Annotations[name] = value
		}
	}
	reduced.progress, reduced.stuck = upgrade.RolloutOf(workload), stuckMessage(workload)
	return reduced, true
}

func selectorOf(object client.Object) *metav1.LabelSelector {
	switch workload := object.(type) {
	case *appsv1.Deployment:
		return workload.Spec.Selector
	case *appsv1.StatefulSet:
		return workload.Spec.Selector
	case *appsv1.DaemonSet:
		return workload.Spec.Selector
	}
	return nil
}

// stuckMessage returns why a Deployment does not progress. Other kinds do not say this.
func stuckMessage(object client.Object) string {
	deployment, ok := object.(*appsv1.Deployment)
	if !ok {
		return ""
	}
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentProgressing && condition.Status == corev1.ConditionFalse {
			return condition.Message
		}
	}
	return ""
}

// Reports returns what was last reported about all followed workloads that moved or wait to move, in no order.
func (c *Controller) Reports() []rollout.Report {
	var reports []rollout.Report
	for _, key := range c.keys("") {
		workload, follows := c.followers[key.kind].Get(key.NamespacedName)
		if !follows || workload.Annotations[annotations.RolloutStatus] == "" {
			continue
		}
		reports = append(reports, rollout.Report{
			Workload:  v1alpha1.WorkloadReference{Namespace: key.Namespace, Kind: key.kind, Name: key.Name},
			PodLabels: workload.template.AllLabels(), Status: workload.Annotations[annotations.RolloutStatus],
		})
	}
	return reports
}

// isSame reports whether a change of a workload cannot change a decision.
func isSame(a, b *followed) bool {
	return a.UID == b.UID && a.Generation == b.Generation && a.progress == b.progress && a.stuck == b.stuck &&
		maps.Equal(a.Annotations, b.Annotations)
}

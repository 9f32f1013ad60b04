package clusterstate

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/mutate"
)

// KongPod is what the counts of policies need to know about a pod that runs Kong. Its metadata has only the namespace,
// the name, the labels, the time of creation and the versions.
type KongPod struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	// Releases are the injected releases, without their sources.
	Releases []mutate.ReleaseRecord
	// OptedOut reports whether the pod declines the plugins of policies.
	OptedOut bool
	// Workload is what to restart to replace the pod.
	Workload v1alpha1.WorkloadReference
	// Owner is the pod's controller, nil for a pod without one. Events go there.
	Owner *metav1.OwnerReference
}

// DeepCopyObject implements runtime.Object.
func (p *KongPod) DeepCopyObject() runtime.Object {
	copied := *p
	p.DeepCopyInto(&copied.ObjectMeta)
	copied.Releases = slices.Clone(p.Releases)
	return &copied
}

// sameCounts reports whether two versions of a pod count alike. Most changes of a pod's status do not matter.
func (p *KongPod) sameCounts(other *KongPod) bool {
	return maps.Equal(p.Labels, other.Labels) && p.OptedOut == other.OptedOut && p.Workload == other.Workload &&
		slices.EqualFunc(p.Releases, other.Releases, func(a, b mutate.ReleaseRecord) bool {
			return a.Plugin == b.Plugin && a.Version == b.Version && a.Library == b.Library
		})
}

// reduceKongPod returns what to keep of a pod. It returns false for a pod that does not count: it does not run Kong, it
// has ended or is shutting down, or it belongs to one of kongdao's Jobs. Only the key and the version are then set.
func reduceKongPod(pod *corev1.Pod) (reduced *KongPod, counts bool) {
	reduced = &KongPod{ObjectMeta: metav1.ObjectMeta{
		Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
	}}
	if HasEnded(pod) || pod.DeletionTimestamp != nil || isMigrationPod(pod) || !MayRunKong(&pod.Spec) {
		return reduced, false
	}
	if view, err := PodView(pod); err != nil || !mutate.IsKong(view) {
		return reduced, false
	}
	record, _ := mutate.ParseInjectionRecord(pod.Annotations) // a malformed record has no releases
	for _, release := range record.Releases {
		reduced.Releases = append(reduced.Releases, mutate.ReleaseRecord{
			Plugin: release.Plugin, Version: release.Version, Library: release.Library,
		})
	}
	reduced.Labels, reduced.CreationTimestamp = pod.Labels, pod.CreationTimestamp
	reduced.Owner = metav1.GetControllerOf(pod)
	reduced.OptedOut = pod.Annotations[annotations.Inject] == "false"
	reduced.Workload = workloadOf(pod)
	return reduced, true
}

// isMigrationPod reports whether a pod belongs to one of kongdao's Jobs.
func isMigrationPod(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	return owner != nil && owner.Kind == "Job" && pod.Labels[annotations.Step] != ""
}

// MayRunKong reports whether a pod has an image or a setting of Kong. Most pods of a cluster have neither. For the
// others, mutate.IsKong decides, which needs a view of the whole pod.
func MayRunKong(pod *corev1.PodSpec) bool {
	for _, containers := range [][]corev1.Container{pod.Containers, pod.InitContainers} {
		for i := range containers {
			if strings.Contains(containers[i].Image, "kong") || slices.ContainsFunc(containers[i].Env,
				func(variable corev1.EnvVar) bool { return strings.HasPrefix(variable.Name, "KONG_") }) {
				return true
			}
		}
	}
	return false
}

// workloadOf returns the workload to restart for a pod: the controller of the pod, or the pod itself. For a ReplicaSet
// whose name ends with the hash of a pod template, it is the Deployment that creates such ReplicaSets.
func workloadOf(pod *corev1.Pod) v1alpha1.WorkloadReference {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return v1alpha1.WorkloadReference{Namespace: pod.Namespace, Kind: "Pod", Name: pod.Name}
	}
	hash := pod.Labels["pod-template-hash"]
	deployment, hasHash := strings.CutSuffix(owner.Name, "-"+hash)
	if owner.Kind == "ReplicaSet" && hash != "" && hasHash {
		return v1alpha1.WorkloadReference{Namespace: pod.Namespace, Kind: "Deployment", Name: deployment}
	}
	return v1alpha1.WorkloadReference{Namespace: pod.Namespace, Kind: owner.Kind, Name: owner.Name}
}

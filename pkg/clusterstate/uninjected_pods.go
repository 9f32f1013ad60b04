package clusterstate

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// UninjectedPod is a pod that requests plugins, but was created without a call of the webhook. Its metadata has only
// the namespace, the name and the versions.
type UninjectedPod struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	// Owner is the pod's controller, nil for a pod without one.
	Owner *metav1.OwnerReference
}

// DeepCopyObject implements runtime.Object. An UninjectedPod does not change, so it copies nothing.
func (p *UninjectedPod) DeepCopyObject() runtime.Object { return p }

// UninjectedPods are the pods that request plugins and have no injection record.
type UninjectedPods = Follower[*UninjectedPod]

// NewUninjectedPods returns UninjectedPods that read the API server with Run, in some namespaces or in all. They read
// only the metadata of pods. The selector is that of the webhook: it says for which pods the API server calls it.
func NewUninjectedPods(live client.WithWatch, selector labels.Selector, namespaces ...string) *UninjectedPods {
	return NewFollower(live, FollowerOptions[*UninjectedPod]{
		Name: "pods that request plugins", Empty: &UninjectedPod{},
		NewList: func() client.ObjectList { return newPodMetadataList() }, Fields: notEnded, Namespaces: namespaces,
		Reduce: func(object runtime.Object) (*UninjectedPod, bool) { return reduceUninjectedPod(object, selector) },
		IsSame: func(a, b *UninjectedPod) bool { return a.UID == b.UID },
	})
}

// reduceUninjectedPod returns what to keep of a pod's metadata. It returns false unless the webhook should have
// injected plugins, and did not.
func reduceUninjectedPod(object runtime.Object, selector labels.Selector) (reduced *UninjectedPod, counts bool) {
	pod, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return &UninjectedPod{}, false
	}
	reduced = &UninjectedPod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
		},
		Owner: metav1.GetControllerOf(pod),
	}
	isInjected := pod.Labels[annotations.Injected] != "" || pod.Annotations[annotations.InjectionRecord] != ""
	if isInjected || pod.DeletionTimestamp != nil || !selector.Matches(labels.Set(pod.Labels)) {
		return reduced, false
	}
	request, malformed := annotations.Parse(pod.Annotations)
	return reduced, len(request.Plugins)+len(malformed) > 0
}

package clusterstate

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// KongPods are the pods of the cluster that run Kong, injected or not. No label distinguishes them from other pods. So
// they come from a watch of all pods, of which only these are kept.
type KongPods = Follower[*KongPod]

// NewKongPods returns KongPods that read the API server with Run.
func NewKongPods(live client.WithWatch) *KongPods {
	return NewFollower(live, FollowerOptions[*KongPod]{
		Name: "pods that run Kong", Empty: &KongPod{}, Fields: notEnded,
		NewList: func() client.ObjectList { return &corev1.PodList{} },
		Reduce: func(object runtime.Object) (*KongPod, bool) {
			if pod, ok := object.(*corev1.Pod); ok {
				return reduceKongPod(pod)
			}
			return &KongPod{}, false
		},
		IsSame: (*KongPod).sameCounts,
	})
}

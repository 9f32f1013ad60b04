package clusterstate

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestWorkloadOf proves which workload has to be restarted for a pod.
func TestWorkloadOf(t *testing.T) {
	for name, test := range map[string]struct {
		kind, owner, hash string
		want              string
	}{
		"no controller":         {want: "shop/Pod/kong-1"},
		"Deployment":            {"ReplicaSet", "kong-5d67", "5d67", "shop/Deployment/kong"},
		"ReplicaSet":            {"ReplicaSet", "kong", "", "shop/ReplicaSet/kong"},
		"ReplicaSet, own hash":  {"ReplicaSet", "kong", "5d67", "shop/ReplicaSet/kong"},
		"ReplicaSet, name is -": {"ReplicaSet", "kong-", "", "shop/ReplicaSet/kong-"},
		"StatefulSet":           {"StatefulSet", "kong-5d67", "5d67", "shop/StatefulSet/kong-5d67"},
	} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "kong-1"}}
		if test.hash != "" {
			pod.Labels = map[string]string{"pod-template-hash": test.hash}
		}
		if test.kind != "" {
			pod.OwnerReferences = []metav1.OwnerReference{{Kind: test.kind, Name: test.owner, Controller: new(true)}}
		}
		if got := workloadOf(pod).String(); got != test.want {
			t.Errorf("%s: the workload is %s, want %s", name, got, test.want)
		}
	}
}

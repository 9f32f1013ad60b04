package chart

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"kongdao.io/kongdao/pkg/memorylimit"
)

// TestMemoryLimit proves that each process knows the memory limit of its container, if there is one. Without a limit,
// the API server would give the process the memory of its node.
func TestMemoryLimit(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		for _, deployment := range findAll[appsv1.Deployment](t, objects, "Deployment") {
			container := deployment.Spec.Template.Spec.Containers[0]
			known := slices.ContainsFunc(container.Env, func(variable corev1.EnvVar) bool {
				return variable.Name == memorylimit.Variable && variable.ValueFrom.ResourceFieldRef.Resource == "limits.memory"
			})
			if limited := !container.Resources.Limits.Memory().IsZero(); known != limited {
				t.Errorf("Deployment %s has a memory limit: %v, and its process knows it: %v", deployment.Name, limited, known)
			}
		}
	})
}

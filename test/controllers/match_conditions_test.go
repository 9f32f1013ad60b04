package controllers

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/goldens"
	"kongdao.io/kongdao/test/installation"
)

// TestMatchConditionsSelectKong proves that the match conditions of the webhook select exactly the pods with a
// container that runs Kong. It uses the test pods of package mutate.
func TestMatchConditionsSelectKong(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	source(t, ns, quiet, "1.0.0")
	createPolicy(t, "gives", policySpec{Plugins: plugins(quiet)}, ns)
	wantKongPlugins(t, kongPod(ns, "kong"), "bundled,quiet")
	kong, others := 0, 0
	for _, c := range goldens.Cases(t, filepath.Join(installation.ProjectRoot(), "pkg", "mutate", "testdata")) {
		var pod corev1.Pod
		if err := json.Unmarshal(c.Pod, &pod); err != nil {
			continue // the API server does not accept it either
		}
		pod.ObjectMeta = metav1.ObjectMeta{Namespace: ns, Name: "kong"}
		pod.Spec.ServiceAccountName, pod.Status = "", corev1.PodStatus{}
		text, err := json.Marshal(pod)
		if err != nil {
			t.Fatal(err)
		}
		view, err := mutate.DecodePod(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := createDryRun(t.Context(), &pod)
		selected := got.Annotations[annotations.InjectionRecord] != "" ||
			err != nil && strings.Contains(err.Error(), "policies.kongdao.io")
		switch {
		case err != nil && !selected && (apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)):
			// The pod is incomplete, so the API server does not accept it.
		case err != nil && !selected:
			t.Errorf("%s: %v", c.Name, err)
		case selected != mutate.IsKong(view):
			t.Errorf("%s: the pod runs Kong: %v, the match conditions select it: %v", c.Name, mutate.IsKong(view), selected)
		case selected:
			kong++
		default:
			others++
		}
	}
	t.Logf("%d pods run Kong, %d do not", kong, others)
	if kong < 50 || others == 0 {
		t.Errorf("%d pods run Kong, %d do not: too few to prove anything", kong, others)
	}
}

package policycontroller

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
)

// cachedLists is a cache with policies and namespaces. It has no pods: a count that lists them fails.
type cachedLists struct {
	client.Client
	policies   []v1alpha1.PluginPolicy
	namespaces []corev1.Namespace
}

func (c *cachedLists) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	switch list := list.(type) {
	case *v1alpha1.PluginPolicyList:
		list.Items = c.policies
	case *corev1.NamespaceList:
		list.Items = c.namespaces
	default:
		return errors.New("this list needs a request to the API server")
	}
	return nil
}

// TestCountNeedsNoRequest counts 5,000 pods in 200 namespaces for 200 policies. The count needs no request to the API
// server, and no more than a second.
func TestCountNeedsNoRequest(t *testing.T) {
	const count, podsEach = 200, 25
	cached := &cachedLists{}
	var pods []*clusterstate.KongPod
	for i := range count {
		name := fmt.Sprintf("team-%d", i)
		cached.namespaces = append(cached.namespaces, corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": name}},
		})
		cached.policies = append(cached.policies, v1alpha1.PluginPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: v1alpha1.PluginPolicySpec{
				Plugins:           []v1alpha1.PolicyPlugin{{Name: "quiet"}},
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}},
			},
		})
		for j := range podsEach {
			pods = append(pods, &clusterstate.KongPod{ObjectMeta: metav1.ObjectMeta{
				Namespace: name, Name: fmt.Sprintf("kong-%d", j), Labels: map[string]string{"app": "kong"},
			}})
		}
	}
	controller := &Controller{Client: cached, Pods: clusterstate.StaticFollower(pods...)}
	start := time.Now()
	policies, err := clusterstate.ReadPolicies(t.Context(), cached)
	if err != nil {
		t.Fatal(err)
	}
	counted, err := controller.count(t.Context(), policies, &admissionregistrationv1.MutatingWebhook{
		NamespaceSelector: &metav1.LabelSelector{},
	})
	took := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("counted %d pods for %d policies in %v", len(pods), count, took)
	for name, counts := range counted {
		if counts.namespaces != 1 || counts.pods != podsEach || counts.outdated != podsEach {
			t.Errorf("policy %q has %d namespaces, %d pods and %d outdated pods, want 1, %d and %d",
				name, counts.namespaces, counts.pods, counts.outdated, podsEach, podsEach)
		}
	}
	if len(counted) != count || took > time.Second {
		t.Errorf("%d policies are counted in %v, want %d in at most 1s", len(counted), took, count)
	}
}

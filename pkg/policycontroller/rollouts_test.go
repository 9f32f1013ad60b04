package policycontroller

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/pkg/rollout"
)

// TestRollouts proves which rollouts the status of a policy lists.
func TestRollouts(t *testing.T) {
	plugins := []annotations.PluginRef{{Name: "a"}}
	made := func(name string) rollout.Report {
		return rollout.Report{
			Workload: v1alpha1.WorkloadReference{Namespace: "shop", Kind: "Deployment", Name: name}, Status: "done",
		}
	}
	c := &Controller{Rollouts: func() []rollout.Report {
		other := made("other")
		other.Workload.Namespace = "other"
		all := []rollout.Report{other}
		for i := range 2 * maxListedWorkloads {
			all = append(all, made(fmt.Sprintf("kong-%02d", 2*maxListedWorkloads-i)))
		}
		return all
	}}
	all := map[string]*policy.Policy{}
	for _, spec := range []v1alpha1.PluginPolicySpec{
		{Rollout: v1alpha1.RolloutAuto}, {Rollout: v1alpha1.RolloutManual},
		{Rollout: v1alpha1.RolloutAuto, Mode: v1alpha1.Audit},
	} {
		spec.Plugins = []v1alpha1.PolicyPlugin{{Name: plugins[0].Name}}
		object := &v1alpha1.PluginPolicy{Spec: spec}
		object.Name = fmt.Sprintf("%s%s", spec.Rollout, spec.Mode)
		compiled, err := policy.Compile(object)
		if err != nil {
			t.Fatal(err)
		}
		all[object.Name] = compiled
	}
	counter := &counter{pods: labels.Everything(), byPolicy: map[string]*counts{}}
	var selecting []*policy.Policy
	for name, compiled := range all {
		counter.byPolicy[name] = &counts{}
		selecting = append(selecting, compiled)
	}
	counter.addRollouts(c.rolloutsByNamespace()["shop"], selecting)
	got := map[string]string{}
	for name, counts := range counter.byPolicy {
		listed := sortedRollouts(counts.rollouts)
		got[name] = fmt.Sprint(len(listed))
		if len(listed) > 0 {
			got[name] += " from " + listed[0].String() + ": " + listed[0].Status
		}
	}
	want := map[string]string{"Auto": "20 from shop/Deployment/kong-01: done", "Manual": "0", "AutoAudit": "0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rollouts (-want +got)\n%s", diff)
	}
}

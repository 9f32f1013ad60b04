package chart

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

// TestRolloutsEnd proves that an upgrade ends with as many replicas as nodes. If only one pod fits on a node, an old
// pod must be able to end first. Otherwise, an upgrade never reduces the number of available pods of the webhook. The
// controller can always continue with one replica less.
func TestRolloutsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		flags []string
		want  int
	}{
		"default":     {nil, 0},
		"hostNetwork": {[]string{"--set", "hostNetwork=true"}, 1},
		"one per node": {
			[]string{"--set", "spread.nodes=required"}, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, deployment := range findAll[appsv1.Deployment](t, render(t, test.flags...), "Deployment") {
				want := test.want
				if strings.HasSuffix(deployment.Name, string(controller)) {
					want = 1
				}
				strategy := deployment.Spec.Strategy.RollingUpdate
				if strategy == nil || strategy.MaxUnavailable == nil || strategy.MaxUnavailable.IntValue() != want {
					t.Errorf("Deployment %s has the strategy %+v, want maxUnavailable %d", deployment.Name, strategy, want)
				}
			}
		})
	}
}

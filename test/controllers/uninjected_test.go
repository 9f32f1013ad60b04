package controllers

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/cluster"
)

// TestUninjectedPods requests a plugin for a pod that exists, so the webhook is not called. An Event says that the pod
// lacks the plugin.
func TestUninjectedPods(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	pod := kongPod(ns, "late")
	shared.Create(t, pod)
	shared.MustKubectl(t, ns, "", "annotate", "pod", pod.Name, annotations.Plugins+"=dao-test")
	cluster.Eventually(t, func(ctx context.Context) error {
		notes, err := eventNotes(ctx, ns, pod.Name)
		want := `pod "late" has annotation kongdao.io/plugins, but not the plugins`
		if err == nil && !strings.Contains(notes, want) {
			err = fmt.Errorf("the Events are %q, want %q", notes, want)
		}
		return err
	})
	if count := metricValue(t, "kongdao_uninjected_pods"); count < 1 {
		t.Errorf("kongdao_uninjected_pods is %v", count)
	}
}

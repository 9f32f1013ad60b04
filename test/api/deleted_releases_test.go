package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"kongdao.io/kongdao/test/cluster"
)

// TestDeletedReleases deletes releases. If pods need a release, kubectl prints a warning. The deletion is never denied.
// The controller that deletes the contents of a namespace does not call the webhook.
func TestDeletedReleases(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	used, unused := publish(t, ns, "2.0.0"), publish(t, ns, "1.0.0")
	kong := deployment(ns, "kong", requesting("stamp"))
	shared.Create(t, kong)
	waitForStamps(t, kong, 1, "2.0.0")

	deletion := func(name string, flags ...string) cluster.Output {
		return shared.MustKubectl(t, ns, "", append([]string{"delete", "configmap", name}, flags...)...)
	}
	warnings := []string{
		fmt.Sprintf(`Warning: release "stamp@2.0.0": without this ConfigMap, new pods of Deployment "%s/kong" are denied; `+
			`create it again, or move them to another release`, ns),
		fmt.Sprintf(`Warning: release "stamp@2.0.0": pods run with it and continue: Pod "%s/kong-`, ns),
	}
	cluster.Eventually(t, func(context.Context) error {
		output := deletion(used.Name, "--dry-run=server")
		for _, warning := range warnings {
			if !strings.Contains(output.Stderr, warning) {
				return fmt.Errorf("kubectl prints %q, want %q", output.Stderr, warning)
			}
		}
		return nil
	})
	for controller, flag := range map[string]string{
		"namespace controller": "system:serviceaccount:kube-system:namespace-controller",
		"garbage collector":    "system:serviceaccount:kube-system:generic-garbage-collector",
	} {
		if output := deletion(used.Name, "--dry-run=server", "--as="+flag); output.Stderr != "" {
			t.Errorf("the %s gets warnings: %s", controller, output.Stderr)
		}
	}
	if output := deletion(unused.Name); output.Stderr != "" {
		t.Errorf("a release that nothing uses: %s", output.Stderr)
	}
	if output := deletion(used.Name); !strings.Contains(output.Stderr, warnings[0]) {
		t.Errorf("kubectl prints %q, want %q", output.Stderr, warnings[0])
	}
}

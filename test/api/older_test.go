package api

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/installation"
)

// oldest is the oldest Kubernetes that the API server of these tests can be.
const oldest = "1.33"

// TestAnOlderKubernetes proves that an API server which knows only what an older
// one did takes all that is installed, without a warning, and calls the webhook,
// whose patch it takes.
func TestAnOlderKubernetes(t *testing.T) {
	t.Parallel()
	emulated := map[string]string{"emulated-version": oldest}
	older, err := controlplane.Start(t.Context(), controlplane.Options{
		Assets: os.Getenv("KUBEBUILDER_ASSETS"), APIServerFlags: emulated, ControllerManagerFlags: emulated,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := older.Stop(); err != nil {
			t.Error(err)
		}
	}()
	run := func(arguments ...string) terminal {
		t.Helper()
		seen := runProgram(t, "", filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"),
			append([]string{"--kubeconfig", older.Kubeconfig(), "--cache-dir", t.TempDir()}, arguments...)...)
		if seen.failed || strings.Contains(seen.errs, "Warning") {
			t.Errorf("kubectl %s: %s", strings.Join(arguments, " "), seen.errs)
		}
		return seen
	}
	if version := run("version", "-o", "json").out; !strings.Contains(version, `"emulationMinor": "`+strings.TrimPrefix(oldest, "1.")+`"`) {
		t.Errorf("the API server is not what it should be: %s", version)
	}
	base := filepath.Join(installation.ProjectRoot(), "deploy", "kustomize", "base")
	run("apply", "--server-side", "--validate=strict", "-f", filepath.Join(base, "namespace.yaml"))
	run("apply", "--server-side", "--force-conflicts", "--validate=strict", "--dry-run=server", "-k", base)

	called, err := installation.Start(t.Context(), older, program, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := called.Kill(); err != nil {
			t.Error(err)
		}
	}()
	if err := called.Admin.Create(t.Context(), source(metav1.NamespaceDefault, "dao-test")); err != nil {
		t.Fatal(err)
	}
	made := pod(metav1.NamespaceDefault, "kong", "dao-test")
	if err := called.Admin.Create(t.Context(), made, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	if made.Labels[annotations.Injected] != "true" || len(made.Spec.Volumes) == 0 || made.Spec.Volumes[0].Projected == nil {
		t.Errorf("not injected: %+v", made)
	}
	if err := called.Admin.Create(t.Context(), plainPod(metav1.NamespaceDefault, "plain")); err != nil {
		t.Errorf("a pod that does not ask: %v", err)
	}
}

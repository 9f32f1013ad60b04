package chart

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/test/installation"
)

// TestHelmTestNeedsTheInjection proves that the pod of helm test can start only after the injection. Its container
// mounts a path with KONG_PLUGINS, which only the injection sets.
func TestHelmTestNeedsTheInjection(t *testing.T) {
	folder := t.TempDir()
	kubectlKongdao, err := installation.Build(t.Context(), "kubectl-kongdao", folder)
	if err != nil {
		t.Fatal(err)
	}
	before := runHelmOrFail(t, "template", release, chartDir, "--show-only", "templates/tests/injection.yaml")
	file := filepath.Join(folder, "test.yaml")
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	after, err := runProgram(t, kubectlKongdao, "inject", "-f", file)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ text, want string }{
		"before the injection": {before, ""},
		"after the injection":  {after, "bundled,kongdao-test"},
	} {
		container := find[corev1.Pod](t, decode(t, test.text), "Pod").Spec.Containers[0]
		got := ""
		for _, variable := range container.Env {
			if variable.Name == "KONG_PLUGINS" {
				got = variable.Value
			}
		}
		if got != test.want {
			t.Errorf("%s: KONG_PLUGINS is %q, want %q", name, got, test.want)
		}
		if mount := container.VolumeMounts[0]; mount.SubPathExpr != "$(KONG_PLUGINS)" {
			t.Errorf("%s: the first mount is %+v, want a subPathExpr with KONG_PLUGINS", name, mount)
		}
	}
}

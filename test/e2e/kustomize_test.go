//go:build e2e

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"kongdao.io/kongdao/test/fixtures"
	"kongdao.io/kongdao/test/installation"
)

// TestKustomize installs kongdao with kubectl and an overlay of deploy/kustomize/base.
func TestKustomize(t *testing.T) {
	s := newSpace(t)
	s.apply(s.pack(fixtures.PluginFolder()))
	// kubectl requires a path relative to the overlay.
	overlay, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	base, err := filepath.Rel(overlay, filepath.Join(installation.ProjectRoot(), "deploy", "kustomize", "base"))
	if err != nil {
		t.Fatal(err)
	}
	name, _, _ := strings.Cut(image, ":"+tag())
	write(t, filepath.Join(overlay, "kustomization.yaml"), fmt.Sprintf(`
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [%s]
images: [{name: kongdao.io/kongdao, newName: %s, newTag: %s}]
replicas: [{name: kongdao-webhook, count: 3}, {name: kongdao-controller, count: 1}]
`, base, name, tag()))

	r := newRelease(t)
	r.run("apply", "--server-side", "-k", overlay)
	r.waitReady()
	s.startAndAnnotate(kong(t))
	s.wantFiles(pluginFiles(t))
	r.run("apply", "--server-side", "-k", overlay) // as a GitOps tool does
	r.wantHealed(s, "second apply", func() {})
	r.run("delete", "-k", overlay, "--wait")
	r.wantNothingLeft()
	if err := s.create(t.Context(), true, false); err != nil {
		t.Errorf("after the removal, a pod that requests plugins is denied: %v", err)
	}
}

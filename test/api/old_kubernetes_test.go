package api

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/installation"
)

// minEmulatedVersion is the oldest Kubernetes that the API server of these tests can emulate.
const minEmulatedVersion = "1.33"

// auditConfigMapLists logs who lists ConfigMaps.
const auditConfigMapLists = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, verbs: [list], resources: [{group: "", resources: [configmaps]}]}
- {level: None}
`

// TestOldKubernetes checks that an old API server accepts the installation without a warning, calls the webhook and
// accepts its patch. It also checks that the webhook reads its first list of sources in pages, because the API server
// has no streaming lists (fact P8).
func TestOldKubernetes(t *testing.T) {
	t.Parallel()
	emulated := map[string]string{"emulated-version": minEmulatedVersion}
	old, err := controlplane.Start(t.Context(), controlplane.Options{
		Assets: os.Getenv("KUBEBUILDER_ASSETS"), APIServerFlags: emulated, ControllerManagerFlags: emulated,
		AuditPolicy: auditConfigMapLists,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := old.Stop(); err != nil {
			t.Error(err)
		}
	}()
	run := func(arguments ...string) cluster.Output {
		t.Helper()
		output := cluster.RunKubectl(t.Context(), t, old.Kubeconfig(), "", arguments...)
		if output.Failed || strings.Contains(output.Stderr, "Warning") {
			t.Errorf("kubectl %s: %s", strings.Join(arguments, " "), output.Stderr)
		}
		return output
	}
	if version := run("version", "-o", "json").Stdout; !strings.Contains(version,
		`"emulationMinor": "`+strings.TrimPrefix(minEmulatedVersion, "1.")+`"`) {
		t.Errorf("the API server does not emulate the old version: %s", version)
	}
	base := filepath.Join(installation.ProjectRoot(), "deploy", "kustomize", "base")
	run("apply", "--server-side", "--validate=strict", "-f", filepath.Join(base, "namespace.yaml"))
	run("apply", "--server-side", "--force-conflicts", "--validate=strict", "--dry-run=server", "-k", base)

	const sources = 41 // three pages
	for i := range sources {
		name := fmt.Sprintf("other-%d", i)
		run("create", "configmap", name)
		run("label", "configmap", name, annotations.Plugin+"="+name)
	}
	oldWebhook, err := installation.Start(t.Context(), old, shared.Program, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := oldWebhook.Kill(); err != nil {
			t.Error(err)
		}
	}()
	if err := oldWebhook.Admin.Create(t.Context(), source(metav1.NamespaceDefault, "dao-test")); err != nil {
		t.Fatal(err)
	}
	injected := pod(metav1.NamespaceDefault, "kong", "dao-test")
	if err := oldWebhook.Admin.Create(t.Context(), injected, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	if injected.Labels[annotations.Injected] != "true" || len(injected.Spec.Volumes) == 0 ||
		injected.Spec.Volumes[0].Projected == nil {
		t.Errorf("not injected: %+v", injected)
	}
	if err := oldWebhook.Admin.Create(t.Context(), plainPod(metav1.NamespaceDefault, "plain")); err != nil {
		t.Errorf("a pod that requests nothing: %v", err)
	}
	checkPagedLists(t, old)
}

// checkPagedLists checks the lists of sources in the audit log. The labels are not limited by a plugin's name.
func checkPagedLists(t *testing.T, old *controlplane.ControlPlane) {
	t.Helper()
	entries, err := old.AuditEntries()
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	for _, entry := range entries {
		address, err := url.Parse(entry.RequestURI)
		if err != nil {
			t.Fatal(err)
		}
		query := address.Query()
		if query.Get("labelSelector") != annotations.Plugin {
			continue
		}
		pages++
		if query.Get("limit") != "20" || query.Get("resourceVersion") != "" {
			t.Errorf("not a page: %s", entry.RequestURI)
		}
	}
	if pages != 3 {
		t.Errorf("%d pages; want 3", pages)
	}
}

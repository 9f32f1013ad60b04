package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/cluster"
)

// TestKubectlPrintsDenial checks that kubectl prints all reasons of a denial.
func TestKubectlPrintsDenial(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	broken := source(ns, "broken")
	delete(broken.Data, "schema.lua")
	shared.Create(t, broken)
	const manifest = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kong", "annotations":
		{"kongdao.io/plugins": "nope, a.dot, broken", "kongdao.io/containers": "ghost"}},
		"spec": {"containers": [{"name": "proxy", "image": "kong:3.9"}]}}`
	output := shared.Kubectl(t, ns, manifest, "create", "-f", "-")
	if !output.Failed {
		t.Fatal("the pod was created")
	}
	wantText(t, output.Stderr, `admission webhook "pods.kongdao.io" denied the request`,
		`plugin "nope": no ConfigMap in namespace "`+ns+`" has the label kongdao.io/plugin=nope; create one with "kubectl `+
			`kongdao pack"`,
		`element 2: plugin name "a.dot" contains a dot`,
		`plugin "broken" in ConfigMap "plugin-broken": the plugin has no schema.lua`,
		`annotation kongdao.io/containers: the pod has no container "ghost"; use the names of its containers: "proxy"`)
}

// TestKubectlPrintsFailure checks that kubectl prints why the webhook could not decide about a pod.
func TestKubectlPrintsFailure(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	_, kubeconfig, err := plane.User("no-permissions")
	if err != nil {
		t.Fatal(err)
	}
	const reason = `configmaps is forbidden: User "no-permissions" cannot list resource "configmaps"`
	failing := secondWebhook(t, kubeconfig, []string{reason, "no-permissions"})
	if err := failing.Start(); err != nil {
		t.Fatal(err)
	}
	// The API server calls it before the shared webhook, which would deny the pod.
	registerWebhook(t, "a-"+ns, ns, failing.URL("/mutate/pods"), plane.CA())
	requesting := pod(ns, "kong", "nope")
	cluster.Eventually(t, func(ctx context.Context) error {
		err := webhook.Admin.Create(ctx, requesting.DeepCopy(), client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "other.example.com") ||
			strings.Contains(err.Error(), "connection refused") {
			return fmt.Errorf("the API server does not reach the failing webhook yet: %w", err)
		}
		return nil
	})
	output := shared.Kubectl(t, ns, manifestOf(t, requesting), "create", "-f", "-")
	if !output.Failed {
		t.Fatal("the pod was created")
	}
	wantText(t, output.Stderr, `failed calling webhook "other.example.com"`,
		`read the ConfigMaps labelled kongdao.io/plugin in namespace "`+ns+`": `+reason)
}

// TestKubectlPrintsWarning checks that an invalid annotation of a Deployment gives a warning and not a denial.
func TestKubectlPrintsWarning(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	shared.Create(t, deployment(ns, "kong", nil))
	output := shared.MustKubectl(t, ns, "", "annotate", "deployment", "kong", "kongdao.io/plugins=nope,a.dot")
	wantText(t, output.Stderr, "Warning: the pods of this Deployment will be denied: ",
		`plugin "nope": no ConfigMap in namespace "`+ns+`"`, `plugin name "a.dot" contains a dot`)
	wantText(t, output.Stdout, "deployment.apps/kong annotated")

	// The API server cuts warnings at 4 KiB.
	many := make([]string, 60)
	for i := range many {
		many[i] = fmt.Sprintf("nope-%d", i)
	}
	output = shared.MustKubectl(t, ns, "", "annotate", "--overwrite", "deployment", "kong",
		"kongdao.io/plugins="+strings.Join(many, ","))
	wantText(t, output.Stderr,
		`Warning: the pods of this Deployment will be denied: plugin "nope-0": no ConfigMap in namespace "`+ns+`"`)

	// The pods are not denied, but their source can change.
	mutable := source(ns, "mutable")
	mutable.Immutable = nil
	shared.Create(t, mutable)
	output = shared.MustKubectl(t, ns, "", "annotate", "--overwrite", "deployment", "kong", "kongdao.io/plugins=mutable")
	wantText(t, output.Stderr, `Warning: plugin "mutable": ConfigMap "plugin-mutable" is not immutable`)
	if strings.Contains(output.Stderr, "denied") {
		t.Errorf("kubectl annotate prints: %s", output.Stderr)
	}
}

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/test/fixtures"
)

// idleCount is the number of namespaces with an idle Kong. One more namespace has a Kong with a database.
const idleCount = 49

// fleet is a library and the namespaces that use it.
type fleet struct {
	library space
	// label and value are the label of the namespaces and of their pods.
	label, value string
	idle         []space
	gateway      gateway
	policy       policy
}

// newFleet creates the namespaces, the library and the database.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{library: newSpace(t), label: "e2e-fleet"}
	f.value = f.library.name
	f.library.publish(release110(t))
	labelled := newSpace(t)
	labelled.run("", "label", "namespace", labelled.name, f.label+"="+f.value)
	f.gateway = gateway{labelled.startDatabase(), "kong"}
	var namespaces strings.Builder
	for i := range idleCount {
		s := space{t, fmt.Sprintf("%s-%d", f.value, i)}
		f.idle = append(f.idle, s)
		fmt.Fprintf(&namespaces, "---\n{apiVersion: v1, kind: Namespace, metadata: {name: %s, "+
			"labels: {pod-security.kubernetes.io/enforce: restricted, %s: %s}}}\n", s.name, f.label, f.value)
	}
	t.Cleanup(func() {
		_, err := kubectl(context.Background(), "", "delete", "namespaces", "-l", f.label+"="+f.value, "--wait=false")
		if err != nil {
			t.Error(err)
		}
	})
	f.library.run(namespaces.String(), "create", "-f", "-")
	return f
}

// idleKong returns an idle Kong whose init container fails if a file of the plugin is missing.
func (f *fleet) idleKong() *appsv1.Deployment {
	made := idleKong(f.library.t, "kong", map[string]string{f.label: f.value})
	init := kong(f.library.t).Spec.Template.Spec.InitContainers[0]
	init.Command[2] = `for file in $FILES; do [ -s "` + root + `/$file" ]; done; ` + saveFiles
	made.Spec.Template.Spec.InitContainers = []corev1.Container{init}
	return made
}

// startAll starts all gateways at the same time and waits until their pods run.
func (f *fleet) startAll() {
	t := f.library.t
	t.Helper()
	workloads := make([]any, 0, idleCount)
	for _, s := range f.idle {
		workload := f.idleKong()
		workload.Namespace = s.name
		workloads = append(workloads, workload)
	}
	start := time.Now()
	f.gateway.startGateway(gatewayOptions{})
	if _, err := kubectl(t.Context(), manifests(t, workloads...), "create", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	created := time.Since(start)
	eventually(t, func() error {
		var pods corev1.PodList
		if err := admin.List(t.Context(), &pods, client.MatchingLabels{f.label: f.value}); err != nil {
			return err
		}
		running := 0
		for _, pod := range pods.Items {
			if pod.Status.Phase == corev1.PodRunning {
				running++
			}
		}
		if running != idleCount || len(pods.Items) != idleCount {
			return fmt.Errorf("%d of %d pods run, want %d", running, len(pods.Items), idleCount)
		}
		return nil
	})
	t.Logf("%d Deployments were created in %v, and their pods run with the plugin after %v",
		idleCount, created.Round(100*time.Millisecond), time.Since(start).Round(100*time.Millisecond))
}

// copies returns the copies of the fleet's library by namespace.
func (f *fleet) copies() (map[string][]corev1.ConfigMap, error) {
	var list corev1.ConfigMapList
	if err := admin.List(f.library.t.Context(), &list, client.HasLabels{annotations.CopyOf}); err != nil {
		return nil, err
	}
	found := map[string][]corev1.ConfigMap{}
	for _, copied := range list.Items {
		if strings.HasPrefix(copied.Annotations[annotations.Origin], f.library.name+"/") {
			found[copied.Namespace] = append(found[copied.Namespace], copied)
		}
	}
	return found, nil
}

// wantCopies waits until each namespace has copies of exactly these versions of the plugin, and no other namespace has
// copies. Then it checks the copies.
func (f *fleet) wantCopies(want map[string][]string) {
	t := f.library.t
	t.Helper()
	start := time.Now()
	var found map[string][]corev1.ConfigMap
	eventually(t, func() (err error) {
		if found, err = f.copies(); err != nil {
			return err
		}
		if diff := cmp.Diff(f.wantedOrigins(want), origins(found)); diff != "" {
			return fmt.Errorf("the origins of the copies (-want +got):\n%s", diff)
		}
		return nil
	})
	t.Logf("%d namespaces have the right copies after %v", len(found), time.Since(start).Round(100*time.Millisecond))
	for _, copies := range found {
		for _, copied := range copies {
			checkCopy(t, copied)
		}
	}
}

// checkCopy checks the metadata of a copy, and that it holds all files of its release.
func checkCopy(t *testing.T, copied corev1.ConfigMap) {
	t.Helper()
	_, version, _ := strings.Cut(copied.Annotations[annotations.Origin], "@")
	contents := map[string][]byte{}
	for name, content := range map[string]files{"1.1.0": release110(t), "1.2.0": release120(t)}[version] {
		contents[name] = []byte(content)
	}
	plugin, isSource := copied.Labels[annotations.Plugin]
	immutable := copied.Immutable != nil && *copied.Immutable
	if !immutable || !strings.HasPrefix(copied.Name, catalog.CopyPrefix) ||
		copied.Labels[annotations.CopyOf] != fixtures.Plugin || !isSource || plugin != "" ||
		len(copied.Data) != len(contents) || copied.Annotations[annotations.Digest] != catalog.DigestOf(contents) {
		t.Errorf("the copy %s/%s is %+v", copied.Namespace, copied.Name, copied)
	}
}

// wantedOrigins returns the origins of copies of these versions by namespace.
func (f *fleet) wantedOrigins(want map[string][]string) map[string][]string {
	wanted := map[string][]string{}
	for namespace, versions := range want {
		for _, version := range versions {
			wanted[namespace] = append(wanted[namespace], f.library.name+"/dao-test@"+version)
		}
	}
	return wanted
}

// origins returns the origins of copies by namespace.
func origins(found map[string][]corev1.ConfigMap) map[string][]string {
	all := map[string][]string{}
	for namespace, copies := range found {
		for _, copied := range copies {
			all[namespace] = append(all[namespace], copied.Annotations[annotations.Origin])
		}
	}
	return all
}

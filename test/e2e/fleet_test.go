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

// idlers is in how many namespaces an idle Kong gets the library's plugin, beside
// the one with a Kong that has a database.
const idlers = 49

// fleet is a library and the namespaces that use it.
type fleet struct {
	library space
	// label and value are the namespaces', and their pods'.
	label, value string
	idle         []space
	gateway      gateway
	policy       policy
}

// newFleet makes the namespaces, the library and the database.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{library: newSpace(t), label: "e2e-fleet"}
	f.value = f.library.name
	f.library.publish(release110(t))
	labelled := newSpace(t)
	labelled.run("", "label", "namespace", labelled.name, f.label+"="+f.value)
	f.gateway = gateway{labelled.startDatabase(), "kong"}
	var made strings.Builder
	for i := range idlers {
		s := space{t, fmt.Sprintf("%s-%d", f.value, i)}
		f.idle = append(f.idle, s)
		fmt.Fprintf(&made, "---\n{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted, %s: %s}}}\n", s.name, f.label, f.value)
	}
	t.Cleanup(func() {
		if _, err := kubectl(context.Background(), "", "delete", "namespaces", "-l", f.label+"="+f.value, "--wait=false"); err != nil {
			t.Error(err)
		}
	})
	f.library.run(made.String(), "create", "-f", "-")
	return f
}

// idler is an idle Kong whose init container fails without all of the plugin's files.
func (f *fleet) idler() *appsv1.Deployment {
	made := idleKong(f.library.t, "kong", map[string]string{f.label: f.value})
	init := kong(f.library.t).Spec.Template.Spec.InitContainers[0]
	init.Command[2] = `for file in $FILES; do [ -s "` + root + `/$file" ]; done; ` + saveFiles
	made.Spec.Template.Spec.InitContainers = []corev1.Container{init}
	return made
}

// startAll starts all gateways at once, and says how long that took.
func (f *fleet) startAll() {
	t := f.library.t
	t.Helper()
	workloads := make([]any, 0, idlers)
	for _, s := range f.idle {
		workload := f.idler()
		workload.Namespace = s.name
		workloads = append(workloads, workload)
	}
	began := time.Now()
	f.gateway.startGateway(gatewayOptions{})
	if _, err := kubectl(t.Context(), manifests(t, workloads...), "create", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	created := time.Since(began)
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
		if running != idlers || len(pods.Items) != idlers {
			return fmt.Errorf("%d of %d pods run", running, len(pods.Items))
		}
		return nil
	})
	t.Logf("%d Deployments were created in %v, and their pods run, with the library's plugin, after %v",
		idlers, created.Round(100*time.Millisecond), time.Since(began).Round(100*time.Millisecond))
}

// copies are the copies of the fleet's library, by namespace.
func (f *fleet) copies() (map[string][]corev1.ConfigMap, error) {
	var list corev1.ConfigMapList
	if err := admin.List(f.library.t.Context(), &list, client.HasLabels{annotations.CopyOf}); err != nil {
		return nil, err
	}
	found := map[string][]corev1.ConfigMap{}
	for _, one := range list.Items {
		if strings.HasPrefix(one.Annotations[annotations.Origin], f.library.name+"/") {
			found[one.Namespace] = append(found[one.Namespace], one)
		}
	}
	return found, nil
}

// wantCopies waits until each namespace has the copies of just these versions of
// the plugin, and no other namespace any; and checks that they are what they
// should be.
func (f *fleet) wantCopies(want map[string][]string) {
	t := f.library.t
	t.Helper()
	began := time.Now()
	var found map[string][]corev1.ConfigMap
	eventually(t, func() (err error) {
		if found, err = f.copies(); err != nil {
			return err
		}
		if diff := cmp.Diff(f.origins(want), originsOf(found)); diff != "" {
			return fmt.Errorf("the copies come from elsewhere (-want +got):\n%s", diff)
		}
		return nil
	})
	count := 0
	releases := map[string]files{"1.1.0": release110(t), "1.2.0": release120(t)}
	for _, copies := range found {
		for _, one := range copies {
			count++
			_, version, _ := strings.Cut(one.Annotations[annotations.Origin], "@")
			contents := map[string][]byte{}
			for name, content := range releases[version] {
				contents[name] = []byte(content)
			}
			plugin, isSource := one.Labels[annotations.Plugin]
			if one.Immutable == nil || !*one.Immutable || !strings.HasPrefix(one.Name, catalog.CopyPrefix) || one.Labels[annotations.CopyOf] != fixtures.Plugin ||
				!isSource || plugin != "" || len(one.Data) != len(contents) || one.Annotations[annotations.Digest] != catalog.DigestOf(contents) {
				t.Errorf("the copy %s/%s is %+v", one.Namespace, one.Name, one)
			}
		}
	}
	t.Logf("%d copies in %d namespaces, as they should be after %v", count, len(found), time.Since(began).Round(100*time.Millisecond))
}

// origins are where the copies of versions come from, by namespace.
func (f *fleet) origins(want map[string][]string) map[string][]string {
	origins := map[string][]string{}
	for namespace, versions := range want {
		for _, version := range versions {
			origins[namespace] = append(origins[namespace], f.library.name+"/dao-test@"+version)
		}
	}
	return origins
}

func originsOf(found map[string][]corev1.ConfigMap) map[string][]string {
	origins := map[string][]string{}
	for namespace, copies := range found {
		for _, one := range copies {
			origins[namespace] = append(origins[namespace], one.Annotations[annotations.Origin])
		}
	}
	return origins
}

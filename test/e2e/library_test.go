//go:build e2e

package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// testLibrary checks that one release in a library serves fifty namespaces. Copies exist only where pods need them, and
// only kongdao can create them. kongdao deletes the copy of an old release after the last pod with it.
func testLibrary(t *testing.T) {
	f := newFleet(t)
	f.policy = f.library.policyFor("library", f.label, f.value,
		`plugins: [{name: dao-test, version: 1.1.0}], library: `+f.library.name)
	f.idle[0].waitKongPlugins(f.idleKong(), "bundled,dao-test")
	start := time.Now()
	f.startAll()
	g := f.gateway
	g.waitReady()
	t.Logf("the gateway with a database is ready after %v", time.Since(start).Round(100*time.Millisecond))
	g.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	g.configure()
	eventually(t, func() error { return g.insert(t.Context(), "first") })
	want := map[string][]string{}
	for _, s := range append([]space{g.space}, f.idle...) {
		want[s.name] = []string{"1.1.0"}
	}
	f.wantCopies(want)
	for _, s := range f.idle[:3] { // the init container checks the files in all namespaces
		s.wantFiles(release110(t))
		s.wantPlugins("deployment/kong", "bundled,dao-test", onlyDAOTest(release110(t)))
	}
	f.policy.wantRow("Enforce 50 50 50 0 0 0 True")

	f.wantCopiesReserved()
	f.releaseNext(want)
	f.removeUsers(want)
}

// wantCopiesReserved checks that only kongdao can create copies, that kongdao can create and delete nothing else, and
// that no one can change a copy.
func (f *fleet) wantCopiesReserved() {
	t := f.library.t
	t.Helper()
	const reserved = "is reserved for kongdao's copies of plugin libraries: use another name"
	const onlyCopies = "kongdao can create and delete only ConfigMaps with the prefix kongdao-copy-"
	for what, denied := range map[string]struct {
		command string
		want    string
	}{
		"a person creates a copy":           {"create configmap kongdao-copy-x --from-literal=a=b", reserved},
		"kongdao creates another ConfigMap": {"create configmap x --from-literal=a=b --as=" + controllerAccount, onlyCopies},
		"kongdao deletes another ConfigMap": {"delete configmap kube-root-ca.crt --as=" + controllerAccount, onlyCopies},
	} {
		out, err := f.idle[0].try("", strings.Fields(denied.command)...)
		if err == nil || !strings.Contains(err.Error(), denied.want) {
			t.Errorf("%s: %s %v", what, out, err)
		}
	}
	found, err := f.copies()
	if err != nil {
		t.Fatal(err)
	}
	copied := found[f.idle[0].name][0]
	_, err = f.idle[0].try("", "patch", "configmap", copied.Name, "--type=merge", `--patch={"data":{"x":"y"}}`)
	if err == nil || !strings.Contains(err.Error(), "immutable") {
		t.Errorf("a copy can be changed: %v", err)
	}
}

// releaseNext changes the policy to a new release. New pods get its files and migrations, and running pods keep theirs.
// It also checks that kongdao restores a copy that is deleted while a pod mounts it.
func (f *fleet) releaseNext(want map[string][]string) {
	t, g := f.library.t, f.gateway
	t.Helper()
	withoutCopy, restarted, unchanged := f.idle[0], f.idle[1], f.idle[2]
	f.wantCopyRestored(withoutCopy)
	f.library.publish(release120(t))
	f.policy.change(`{"plugins":[{"name":"dao-test","version":"1.2.0"}]}`)
	g.run("", "rollout", "restart", "deployment/"+g.name)
	restarted.restart("kong")
	restarted.wantFiles(release120(t))
	g.waitReady()
	g.waitPhase("dao-test@1.2.0", v1alpha1.PhaseFinished, "")
	g.wantMigrations(t, "000_base_my_plugin,001_100_to_110,002_110_to_120", "")
	eventually(t, func() error { return g.insert(t.Context(), "second") })
	for _, s := range []space{withoutCopy, unchanged} {
		s.wantFiles(release110(t))
	}
	want[restarted.name], want[g.space.name] = []string{"1.2.0"}, []string{"1.2.0"}
	f.wantCopies(want)
	f.policy.wantRow("Enforce 50 50 2 48 0 0 True", "Restart these workloads to update 48 pods: ")
}

// wantCopyRestored deletes the copy in a namespace and waits until kongdao has restored it.
func (f *fleet) wantCopyRestored(s space) {
	t := f.library.t
	t.Helper()
	found, err := f.copies()
	if err != nil {
		t.Fatal(err)
	}
	deleted := found[s.name][0]
	s.run("", "delete", "configmap", deleted.Name)
	start := time.Now()
	eventually(t, func() error {
		var restored corev1.ConfigMap
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(&deleted), &restored); err != nil {
			return err
		}
		if restored.UID == deleted.UID {
			return errors.New("the deleted copy still exists")
		}
		return nil
	})
	t.Logf("a deleted copy is restored after %v", time.Since(start).Round(100*time.Millisecond))
}

// removeUsers deletes the policy and most workloads. It checks that kongdao deletes the copies that nothing needs, and
// keeps those of running pods.
func (f *fleet) removeUsers(want map[string][]string) {
	t := f.library.t
	t.Helper()
	f.policy.remove()
	var deleted []any
	for _, s := range f.idle[3:] {
		workload := f.idleKong()
		workload.Namespace = s.name
		deleted = append(deleted, workload)
		delete(want, s.name)
	}
	_, err := kubectl(t.Context(), manifests(t, deleted...), "delete", "--wait=false", "-f", "-")
	if err != nil {
		t.Fatal(err)
	}
	f.wantCopies(want)
	f.idle[0].wantPlugins("deployment/kong", "bundled,dao-test", onlyDAOTest(release110(t)))
	f.idle[1].wantPlugins("deployment/kong", "bundled,dao-test", onlyDAOTest(release120(t)))
	if err := f.gateway.insert(t.Context(), "third"); err != nil {
		t.Errorf("the gateway does not work: %v", err)
	}
}

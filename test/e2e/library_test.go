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

// library proves that a plugin which is published once serves in fifty
// namespaces: copies of it are there where pods need them and nowhere else, they
// are kongdao's alone, and a release that is not asked for any more goes with
// the last pod that has it.
func library(t *testing.T) {
	f := newFleet(t)
	f.policy = f.library.policyFor("library", f.label, f.value, `plugins: [{name: dao-test, version: 1.1.0}], library: `+f.library.name)
	f.idle[0].eventuallyGiven(f.idler(), "bundled,dao-test")
	began := time.Now()
	f.startAll()
	g := f.gateway
	g.waitReady()
	t.Logf("and the one with a database serves after %v", time.Since(began).Round(100*time.Millisecond))
	g.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	g.configure()
	eventually(t, func() error { return g.insert(t.Context(), "first") })
	want := map[string][]string{}
	for _, s := range append([]space{g.space}, f.idle...) {
		want[s.name] = []string{"1.1.0"}
	}
	f.wantCopies(want)
	for _, s := range f.idle[:3] { // of the others the init container has looked
		s.wantFiles(release110(t))
		s.wantGiven("deployment/kong", "bundled,dao-test", daoTest(release110(t)))
	}
	f.policy.shows("Enforce 50 50 50 0 0 0 True")

	f.kongdaosAlone()
	f.nextRelease(want)
	f.lastUser(want)
}

// kongdaosAlone proves that nobody but kongdao makes copies, and that kongdao
// makes and deletes nothing else, whatever its rights are.
func (f *fleet) kongdaosAlone() {
	t := f.library.t
	t.Helper()
	for what, denied := range map[string]struct {
		command []string
		want    string
	}{
		"a copy by a person":    {[]string{"create", "configmap", "kongdao-copy-x", "--from-literal=a=b"}, "is reserved for kongdao's copies of plugin libraries: use another name"},
		"another by kongdao":    {[]string{"create", "configmap", "x", "--from-literal=a=b", "--as=" + account}, "kongdao can create and delete only ConfigMaps with the prefix kongdao-copy-"},
		"a deletion by kongdao": {[]string{"delete", "configmap", "kube-root-ca.crt", "--as=" + account}, "kongdao can create and delete only ConfigMaps with the prefix kongdao-copy-"},
	} {
		if out, err := f.idle[0].try("", denied.command...); err == nil || !strings.Contains(err.Error(), denied.want) {
			t.Errorf("%s: %s %v", what, out, err)
		}
	}
	found, err := f.copies()
	if err != nil {
		t.Fatal(err)
	}
	copied := found[f.idle[0].name][0]
	if _, err := f.idle[0].try("", "patch", "configmap", copied.Name, "--type=merge", `--patch={"data":{"x":"y"}}`); err == nil || !strings.Contains(err.Error(), "immutable") {
		t.Errorf("a copy is changed: %v", err)
	}
}

// nextRelease proves that a copy which is deleted while its pod runs is put back;
// and that of a new release, which the policy asks for, new pods get the files
// and the migrations, while old ones keep theirs.
func (f *fleet) nextRelease(want map[string][]string) {
	t, g := f.library.t, f.gateway
	t.Helper()
	robbed, rolled, left := f.idle[0], f.idle[1], f.idle[2]
	found, err := f.copies()
	if err != nil {
		t.Fatal(err)
	}
	stolen := found[robbed.name][0]
	robbed.run("", "delete", "configmap", stolen.Name)
	began := time.Now()
	eventually(t, func() error {
		var back corev1.ConfigMap
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(&stolen), &back); err != nil {
			return err
		}
		if back.UID == stolen.UID {
			return errors.New("the copy has not gone yet")
		}
		return nil
	})
	t.Logf("a copy that was deleted is back after %v", time.Since(began).Round(100*time.Millisecond))

	f.library.publish(release120(t))
	f.policy.change(`{"plugins":[{"name":"dao-test","version":"1.2.0"}]}`)
	g.run("", "rollout", "restart", "deployment/"+g.name)
	rolled.restarts("kong")
	rolled.wantFiles(release120(t))
	g.waitReady()
	g.waitPhase("dao-test@1.2.0", v1alpha1.PhaseFinished, "")
	g.wantMigrations(t, "000_base_my_plugin,001_100_to_110,002_110_to_120", "")
	eventually(t, func() error { return g.insert(t.Context(), "second") })
	for _, s := range []space{robbed, left} {
		s.wantFiles(release110(t))
	}
	want[rolled.name], want[g.space.name] = []string{"1.2.0"}, []string{"1.2.0"}
	f.wantCopies(want)
	f.policy.shows("Enforce 50 50 2 48 0 0 True", "Restart these workloads to update 48 pods: ")
}

// lastUser proves that copies go where neither a policy nor a pod needs them any
// more, and stay where a pod runs.
func (f *fleet) lastUser(want map[string][]string) {
	t := f.library.t
	t.Helper()
	f.policy.remove()
	var gone []any
	for _, s := range f.idle[3:] {
		workload := f.idler()
		workload.Namespace = s.name
		gone = append(gone, workload)
		delete(want, s.name)
	}
	if _, err := kubectl(t.Context(), manifests(t, gone...), "delete", "--wait=false", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	f.wantCopies(want)
	f.idle[0].wantGiven("deployment/kong", "bundled,dao-test", daoTest(release110(t)))
	f.idle[1].wantGiven("deployment/kong", "bundled,dao-test", daoTest(release120(t)))
	if err := f.gateway.insert(t.Context(), "third"); err != nil {
		t.Errorf("the gateway does not serve: %v", err)
	}
}

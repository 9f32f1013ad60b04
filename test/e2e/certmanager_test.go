//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/certmanager"
	"kongdao.io/kongdao/test/fixtures"
)

// TestCertManager proves that the chart which is told of cert-manager says what
// is missing while that is not there, without a restart, is ready soon after it
// comes, and serves what it issues anew, while no admission fails. cert-manager
// is its real controllers, beside the cluster.
func TestCertManager(t *testing.T) {
	s := newSpace(t)
	s.apply(s.pack(fixtures.PluginFolder()))
	r := install(t, "--set=certificates.provider=cert-manager")
	r.wantLogged("cert-manager is not installed: the cluster has no kind Certificate in cert-manager.io/v1; "+
		"install cert-manager or choose another --cert-provider", 1)

	folder := os.Getenv(certmanager.AssetsVariable)
	if err := certmanager.InstallCRDs(t.Context(), admin, folder); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeCRDs(t) })
	controllers, err := certmanager.Start(t.Context(), kubeconfig, folder, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := controllers.Stop(); err != nil {
			t.Error(err)
		}
	}()
	r.rolledOut()
	eventually(t, func() error { return s.create(t.Context(), true, true) })

	load := s.load()
	began := time.Now()
	for _, name := range []string{certificate + "-ca", certificate} {
		// One that is deleted before cert-manager is done with it comes back as it was.
		if err := controllers.WaitUntilIssued(t.Context(), admin, client.ObjectKey{Namespace: system, Name: name}); err != nil {
			t.Fatal(err)
		}
		r.run("delete", "secret", name)
	}
	r.wantLogged("serving a new certificate", 2)
	t.Logf("a certificate of another CA is served after %v", time.Since(began).Round(time.Second))
	load.end("a CA and a certificate issued anew")

	s.denied()
	r.wantRightsUsed(always)
	if restarts := r.run("get", "pods", "-o", "jsonpath={.items[*].status.containerStatuses[*].restartCount}"); restarts != "0 0" {
		t.Errorf("the replicas were restarted %s times", restarts)
	}
	r.uninstall()
}

// removeCRDs leaves the cluster as it was.
func removeCRDs(t *testing.T) {
	crds, err := kubectl(context.Background(), "", "get", "crds", "-o", "name")
	if err != nil {
		t.Error(err)
	}
	for crd := range strings.FieldsSeq(crds) {
		if strings.HasSuffix(crd, "cert-manager.io") {
			if _, err := kubectl(context.Background(), "", "delete", crd, "--wait=false"); err != nil {
				t.Error(err)
			}
		}
	}
}

// wantLogged waits until both replicas have logged a message so many times.
func (r release) wantLogged(message string, times int) {
	r.t.Helper()
	eventually(r.t, func() error {
		pods := r.pods()
		if len(pods) != 2 {
			return fmt.Errorf("there are %d replicas, want 2", len(pods))
		}
		for _, pod := range pods {
			log, err := kubectl(r.t.Context(), "", "--namespace", system, "logs", pod)
			if err != nil {
				return err
			}
			if count := strings.Count(log, message); count != times {
				return fmt.Errorf("%s has logged %q %d times, want %d", pod, message, count, times)
			}
		}
		return nil
	})
}

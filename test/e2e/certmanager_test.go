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

// TestCertManager installs kongdao with the certificates of cert-manager, before cert-manager exists. kongdao reports
// what is missing, does not restart, and becomes ready after cert-manager starts. It serves reissued certificates
// without a failed admission. The controllers of cert-manager run outside the cluster.
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
	r.waitReady()
	eventually(t, func() error { return s.create(t.Context(), true, true) })

	load := s.load()
	start := time.Now()
	for _, name := range []string{certificate + "-ca", certificate} {
		// cert-manager restores the old certificate if its Secret is deleted before the issuance is complete.
		key := client.ObjectKey{Namespace: system, Name: name}
		if err := controllers.WaitUntilIssued(t.Context(), admin, key); err != nil {
			t.Fatal(err)
		}
		r.run("delete", "secret", name)
	}
	r.wantLogged("serving a new certificate", 2)
	t.Logf("kongdao serves a certificate of the new CA after %v", time.Since(start).Round(time.Second))
	load.end("a reissued CA and a reissued certificate")

	s.wantDenialEvents()
	r.wantPermissionsUsed(always)
	restarts := r.run("get", "pods", "-o", "jsonpath={.items[*].status.containerStatuses[*].restartCount}")
	if restarts != "0 0 0 0" {
		t.Errorf("the replicas restarted %s times; want 0 for two of the webhook and two of the controller", restarts)
	}
	r.uninstall()
}

// removeCRDs deletes the CRDs of cert-manager.
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

// wantLogged waits until both replicas have logged a message exactly so often.
func (r release) wantLogged(message string, times int) {
	r.t.Helper()
	eventually(r.t, func() error {
		pods := r.pods(webhookPods)
		if len(pods) != 2 {
			return fmt.Errorf("there are %d replicas; want 2", len(pods))
		}
		for _, pod := range pods {
			log, err := kubectl(r.t.Context(), "", "--namespace", system, "logs", pod)
			if err != nil {
				return err
			}
			if count := strings.Count(log, message); count != times {
				return fmt.Errorf("%s logged %q %d times; want %d", pod, message, count, times)
			}
		}
		return nil
	})
}

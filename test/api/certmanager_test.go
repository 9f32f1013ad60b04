package api

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/certmanager"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/wait"
)

// startWithCertManager starts replicas that request their certificate from cert-manager.
func startWithCertManager(t *testing.T, replicas int) *certInstallation {
	t.Helper()
	rules := append(pluginRules(t), certificateRule("get", "list", "watch"), caBundleRule(), rbacv1.PolicyRule{
		APIGroups: []string{"cert-manager.io"}, Resources: []string{"certificates", "issuers"},
		Verbs: []string{"create", "get", "patch"},
	})
	return startReplicas(t, rules, replicas, "--cert-provider", "cert-manager")
}

// TestCertManager proves that the webhook requests its certificate from cert-manager's real controllers. Before that,
// it reports what is missing. No admission fails when cert-manager issues a certificate of a new CA, because the
// webhook serves it only when the API servers know the CA.
func TestCertManager(t *testing.T) {
	t.Parallel()
	c := startWithCertManager(t, 2)
	createDAOTest(t, c.namespace)
	c.register()
	c.waitForNotReady("cert-manager is not installed: the cluster has no kind Certificate in cert-manager.io/v1; " +
		"install cert-manager or choose another --cert-provider")

	assets := os.Getenv(certmanager.AssetsVariable)
	if err := certmanager.InstallCRDs(t.Context(), webhook.Admin, assets); err != nil {
		t.Fatal(err)
	}
	c.waitForNotReady(fmt.Sprintf("the Secret %[1]q does not exist yet; "+
		"Certificate %[1]q has no status yet; check that the cert-manager controller runs", c.secret))

	controllers, err := certmanager.Start(t.Context(), plane.Kubeconfig(), assets, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := controllers.Stop(); err != nil {
			t.Error(err)
		}
	}()
	start := time.Now()
	c.waitUntilReady()
	t.Logf("ready %v after the start of cert-manager", time.Since(start).Round(time.Millisecond))
	cluster.Eventually(t, c.checkAdmission)
	cluster.Eventually(t, c.checkTrust)

	before, err := c.serialNumbers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stopLoad := c.startLoad()
	// A new CA and immediately a certificate of this CA: an issuer cannot do anything that is more difficult.
	reissue(t, controllers, client.ObjectKey{Namespace: c.namespace, Name: c.secret.Name + "-ca"})
	reissue(t, controllers, c.secret)
	start = time.Now()
	wait.For(t, 3*time.Minute, func(ctx context.Context) error {
		now, err := c.serialNumbers(ctx)
		if err == nil && (now[0] == before[0] || now[1] == before[1]) {
			err = errors.New("a replica still serves the old certificate")
		}
		return err
	})
	t.Logf("all replicas serve the new certificate after %v", time.Since(start).Round(time.Second))
	stopLoad()
}

// reissue makes cert-manager issue a certificate again, by deleting its Secret.
func reissue(t *testing.T, controllers *certmanager.Controllers, key client.ObjectKey) {
	t.Helper()
	// If the Secret is deleted earlier, cert-manager restores it with the same certificate.
	if err := controllers.WaitUntilIssued(t.Context(), webhook.Admin, key); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	if err := webhook.Admin.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func(ctx context.Context) error {
		var issued corev1.Secret
		err := webhook.Admin.Get(ctx, key, &issued)
		if err == nil && len(issued.Data[corev1.TLSCertKey]) == 0 {
			err = errors.New("cert-manager has not issued the certificate again")
		}
		return err
	})
}

package api

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/certmanager"
	"kongdao.io/kongdao/test/wait"
)

// certManagerRights are what --cert-provider cert-manager needs beside those of plugins.
func certManagerRights(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	rules := certificateRights(t)
	for i := range rules {
		if rules[i].Resources[0] == "secrets" {
			rules[i].Verbs = []string{"get", "list", "watch"}
		}
	}
	return append(rules, rbacv1.PolicyRule{
		APIGroups: []string{"cert-manager.io"}, Resources: []string{"certificates", "issuers"}, Verbs: []string{"create", "get", "patch"},
	})
}

// TestCertManager proves with cert-manager's real controllers that the webhook
// asks for its certificate, says what it waits for, serves it, and serves the
// next one only when its CA is known, while no admission fails.
func TestCertManager(t *testing.T) {
	t.Parallel()
	o := startOwnWith(t, certManagerRights(t), 2, "--cert-provider", "cert-manager")
	daoTest(t, o.namespace)
	o.register()
	o.waitFor("cert-manager is not installed: the cluster has no kind Certificate in cert-manager.io/v1; " +
		"install cert-manager or choose another --cert-provider")

	folder := os.Getenv(certmanager.AssetsVariable)
	if err := certmanager.InstallCRDs(t.Context(), webhook.Admin, folder); err != nil {
		t.Fatal(err)
	}
	o.waitFor(fmt.Sprintf("the Secret %[1]q does not exist yet; "+
		"Certificate %[1]q has no status yet; check that the cert-manager controller runs", o.secret))

	controllers, err := certmanager.Start(t.Context(), plane.Kubeconfig(), folder, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := controllers.Stop(); err != nil {
			t.Error(err)
		}
	}()
	began := time.Now()
	o.ready()
	t.Logf("ready %v after cert-manager came", time.Since(began).Round(time.Millisecond))
	eventually(t, o.admits)
	eventually(t, o.trusted)

	// A new CA, and a certificate of it at once: the worst that an issuer can do.
	before, err := o.serials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	failed, stop := o.load()
	for _, name := range []string{o.secret.Name + "-ca", o.secret.Name} {
		// One that is deleted before cert-manager is done with it comes back as it was.
		if err := controllers.WaitUntilIssued(t.Context(), webhook.Admin, client.ObjectKey{Namespace: o.namespace, Name: name}); err != nil {
			t.Fatal(err)
		}
		if err := webhook.Admin.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: name}}); err != nil {
			t.Fatal(err)
		}
		eventually(t, func(ctx context.Context) error {
			var made corev1.Secret
			err := webhook.Admin.Get(ctx, client.ObjectKey{Namespace: o.namespace, Name: name}, &made)
			if err == nil && len(made.Data["tls.crt"]) == 0 {
				err = errors.New("cert-manager has not issued again")
			}
			return err
		})
	}
	began = time.Now()
	wait.For(t, 3*time.Minute, func(ctx context.Context) error {
		now, err := o.serials(ctx)
		if err == nil && (now[0] == before[0] || now[1] == before[1]) {
			err = errors.New("some replica still serves the old certificate")
		}
		return err
	})
	t.Logf("the next certificate is served after %v", time.Since(began).Round(time.Second))
	stop()
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// waitFor fails the test unless each replica comes to say what it waits for, and lives.
func (o *own) waitFor(what string) {
	o.t.Helper()
	for _, replica := range o.replicas {
		eventually(o.t, func(ctx context.Context) error {
			select {
			case <-replica.Done():
				o.t.Fatal("the webhook has ended")
			default:
			}
			if err := replica.Ready(ctx); err == nil || !strings.Contains(err.Error(), what) {
				return fmt.Errorf("it does not say %q: %w", what, err)
			}
			return nil
		})
	}
}

// load admits pods without pause until it is stopped, and says what failed.
func (o *own) load() (failed <-chan error, stop func()) {
	ctx, cancel := context.WithCancel(o.t.Context())
	result := make(chan error, 1)
	admitted := 0
	go func() {
		defer close(result)
		for ; ctx.Err() == nil; admitted++ {
			whole := context.WithoutCancel(ctx) // the last one is not broken off
			if err := errors.Join(o.admits(whole), o.trusted(whole)); err != nil {
				result <- fmt.Errorf("after %d: %w", admitted, err)
				return
			}
		}
		o.t.Logf("%d admissions meanwhile", admitted)
	}()
	return result, cancel
}

package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/installation"
)

// The keys of a certificate Secret.
const (
	caCertificateKey = "ca.crt"
	caPrivateKeyKey  = "ca.key"
)

// certInstallation is an installation with its own certificate provider. Its replicas serve the certificate in a
// Secret. The API server calls the first replica.
type certInstallation struct {
	t         *testing.T
	namespace string
	secret    client.ObjectKey
	// configuration is the name of the MutatingWebhookConfiguration.
	configuration string
	replicas      []*installation.Webhook
}

// startSelfSigned starts replicas that sign their certificate themselves. It does not wait until they are ready.
func startSelfSigned(t *testing.T, replicas int, flags ...string) *certInstallation {
	t.Helper()
	rules := append(pluginRules(t), certificateRule("create", "get", "list", "update", "watch"), caBundleRule())
	return startReplicas(t, rules, replicas, append([]string{"--cert-provider", "self"}, flags...)...)
}

// startReplicas starts replicas with these permissions. It does not wait until they are ready.
func startReplicas(t *testing.T, rules []rbacv1.PolicyRule, replicas int, flags ...string) *certInstallation {
	t.Helper()
	c := &certInstallation{t: t, namespace: shared.CreateNamespace(t), configuration: unique("own")}
	c.secret = client.ObjectKey{Namespace: c.namespace, Name: "certificate"}
	kubeconfig, err := installation.CreateUser(t.Context(), plane, c.configuration, rules)
	if err != nil {
		t.Fatal(err)
	}
	flags = append(flags, "--namespace", c.namespace, "--cert-secret", c.secret.Name,
		"--cert-names", "localhost", "--webhook-configuration", c.configuration)
	for range replicas {
		c.replicas = append(c.replicas, secondWebhook(t, kubeconfig, nil, flags...))
	}
	for _, replica := range c.replicas {
		if err := replica.Start(); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// pluginRules returns the permissions of the webhook except those for its certificate.
func pluginRules(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	rules, err := installation.WebhookRules()
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// certificateRule returns a permission for Secrets. The chart restricts it to one name. Here it is for all tests.
func certificateRule(verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{corev1.GroupName}, Resources: []string{"secrets"}, Verbs: verbs}
}

// caBundleRule returns the permission to write caBundles.
func caBundleRule() rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups: []string{admissionregistrationv1.GroupName}, Resources: []string{"mutatingwebhookconfigurations",
			"validatingwebhookconfigurations"},
		Verbs: []string{"get", "list", "patch", "watch"},
	}
}

// register creates the webhook configuration without a caBundle, like an installation does.
func (c *certInstallation) register() {
	c.t.Helper()
	_, port, _ := strings.Cut(c.replicas[0].Address(), ":")
	registerWebhook(c.t, c.configuration, c.namespace, "https://localhost:"+port+"/mutate/pods", nil)
}

func (c *certInstallation) waitUntilReady() {
	c.t.Helper()
	for _, replica := range c.replicas {
		cluster.Eventually(c.t, replica.Ready)
	}
}

// waitForNotReady waits until each replica reports the reason why it is not ready.
func (c *certInstallation) waitForNotReady(reason string) {
	c.t.Helper()
	for _, replica := range c.replicas {
		cluster.Eventually(c.t, func(ctx context.Context) error {
			select {
			case <-replica.Done():
				c.t.Fatal("the webhook process has ended")
			default:
			}
			err := replica.Ready(ctx)
			if err == nil {
				c.t.Fatalf("ready, want not ready because of %q", reason)
			}
			if !strings.Contains(err.Error(), reason) {
				return fmt.Errorf("not ready because of %w, want %q", err, reason)
			}
			return nil
		})
	}
}

func (c *certInstallation) readSecret(ctx context.Context) (*corev1.Secret, error) {
	var secret corev1.Secret
	return &secret, webhook.Admin.Get(ctx, c.secret, &secret)
}

// caBundle returns the CAs that the API server trusts.
func (c *certInstallation) caBundle(ctx context.Context) ([]byte, error) {
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	if err := webhook.Admin.Get(ctx, client.ObjectKey{Name: c.configuration}, &configuration); err != nil {
		return nil, err
	}
	return configuration.Webhooks[0].ClientConfig.CABundle, nil
}

// checkTrust returns an error if an API server would reject the certificate of a replica.
func (c *certInstallation) checkTrust(ctx context.Context) error {
	_, err := c.serialNumbers(ctx)
	return err
}

// serialNumbers returns the serial numbers of the certificates that the replicas serve. It trusts only the caBundle.
func (c *certInstallation) serialNumbers(ctx context.Context) ([]string, error) {
	bundle, err := c.caBundle(ctx)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(bundle) {
		return nil, fmt.Errorf("the caBundle has no CA: %q", bundle)
	}
	config := &tls.Config{RootCAs: roots, ServerName: "kongdao-webhook." + c.namespace + ".svc"}
	serialNumbers := make([]string, len(c.replicas))
	for i, replica := range c.replicas {
		if serialNumbers[i], err = serialNumber(replica, config); err != nil {
			return nil, fmt.Errorf("replica %d: %w", i, err)
		}
	}
	return serialNumbers, nil
}

// checkAdmission creates a pod that the webhook injects, in a dry run.
func (c *certInstallation) checkAdmission(ctx context.Context) error {
	return webhook.Admin.Create(ctx, pod(c.namespace, "kong", "dao-test"), client.DryRunAll)
}

// startLoad admits pods and checks the certificates until stop is called. Then stop fails the test for an error.
func (c *certInstallation) startLoad() (stop func()) {
	return startLoad(c.t, func(ctx context.Context) error {
		return errors.Join(c.checkAdmission(ctx), c.checkTrust(ctx))
	})
}

// startLoad calls check in a loop until stop is called. Then stop fails the test if a check has failed.
func startLoad(t *testing.T, check func(ctx context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	checks := 0
	go func() {
		defer close(result)
		for ; ctx.Err() == nil; checks++ {
			// Canceling would interrupt the last check.
			if err := check(context.WithoutCancel(ctx)); err != nil {
				result <- fmt.Errorf("after %d successful checks: %w", checks, err)
				return
			}
		}
		if checks == 0 {
			result <- errors.New("no check has run")
		}
	}()
	return func() {
		t.Helper()
		cancel()
		if err := <-result; err != nil {
			t.Error(err)
		}
		t.Logf("%d checks during the test", checks)
	}
}

package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// CertManager has cert-manager make the certificate, by an issuer that is there
// or by two that it makes: one that signs a CA, and one of that CA. It serves
// what cert-manager puts into the Secret as soon as every API server trusts it.
type CertManager struct {
	*Base
	Settings
	// Issuer is one that is there, the zero value for those that are made.
	Issuer IssuerRef
	// asked is what cert-manager was asked for by this process.
	asked map[string]asked
}

// IssuerRef names an Issuer in the webhook's namespace or a ClusterIssuer.
type IssuerRef struct{ Kind, Name string }

// SetUp registers the controller. It watches no Certificate: that would end the
// process where cert-manager's kinds are not there yet.
func (c *CertManager) SetUp(manager manager.Manager) error { return c.setUp(manager, c.step) }

// lookForCertManager is how often cert-manager is asked about while something
// is missing.
const lookForCertManager = 2 * time.Second

func (c *CertManager) step(ctx context.Context, configurations configurations, now time.Time) (time.Time, error) {
	soon := now.Add(lookForCertManager)
	if err := c.order(ctx); meta.IsNoMatchError(err) {
		c.missing("cert-manager is not installed: the cluster knows no kind %s of %s; install it, or choose another --cert-provider",
			certmanagerv1.CertificateKind, certmanagerv1.SchemeGroupVersion)
		return soon, nil
	} else if err != nil {
		return time.Time{}, err
	}
	offered, authorities, err := c.offered(ctx)
	if err != nil {
		c.missing("%v; %s", err, c.progress(ctx))
		return soon, nil
	}
	trusted := stillTrusted(configurations, authorities, now)
	published := c.publisher.publishedFor(configurations, authorities[0], now)
	serving := c.serving.Load()
	next := now.Add(lookAgain)
	switch {
	case serving != nil && published < c.settle() && c.unusable(serving, trusted, now) == nil && !sameCertificate(serving, offered):
		next = now.Add(c.settle() - published) // what is served is good until all know the other's CA
	case !sameCertificate(serving, offered):
		c.Serve(offered)
		c.Log.Info("serving a new certificate", "secret", c.Secret.String(), "until", offered.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	c.Metrics.show(authorities[0], c.serving.Load().Leaf)
	return next, c.publish(ctx, configurations, trusted)
}

// missing says what there is to wait for, while nothing is served.
func (c *CertManager) missing(format string, args ...any) {
	if c.starting() {
		c.wait(format, args...)
	}
}

// offered is what the Secret holds, with the CAs that it gives.
func (c *CertManager) offered(ctx context.Context) (*tls.Certificate, []*x509.Certificate, error) {
	secret, err := c.read(ctx, c.Secret)
	if err != nil {
		return nil, nil, err
	}
	if secret.ResourceVersion == "" {
		return nil, nil, fmt.Errorf("there is no Secret %q yet", c.Secret)
	}
	pair, err := ParsePair(secret.Data)
	if err != nil {
		return nil, nil, fmt.Errorf("the Secret %q holds no certificate: %w", c.Secret, err)
	}
	authorities, err := parseCertificates(secret.Data[keyCA])
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("key %q of Secret %q: %w", keyCA, c.Secret, err)
	case len(authorities) == 0:
		return nil, nil, fmt.Errorf("the Secret %q has no %q, and no API server would know the certificate: choose an issuer that gives its CA", c.Secret, keyCA)
	}
	return pair, authorities, nil
}

// stillTrusted is the CAs of what is offered, and those that the bundle holds of
// the same name, until they end: what some replica still serves is of one of
// them. Certificates of other names were put there by others.
func stillTrusted(configurations configurations, authorities []*x509.Certificate, now time.Time) []*x509.Certificate {
	trusted := slices.Clone(authorities)
	for _, webhook := range configurations.webhooks() {
		bundle, _ := parseCertificates(webhook.ClientConfig.CABundle) // what cannot be read is nothing to keep
		for _, ca := range bundle {
			sameName := slices.ContainsFunc(authorities, func(other *x509.Certificate) bool { return string(other.RawSubject) == string(ca.RawSubject) })
			if sameName && ca.IsCA && now.Before(ca.NotAfter) && !slices.ContainsFunc(trusted, ca.Equal) {
				trusted = append(trusted, ca)
			}
		}
	}
	return trusted
}

func sameCertificate(a, b *tls.Certificate) bool {
	return a != nil && b != nil && slices.EqualFunc(a.Certificate, b.Certificate, func(x, y []byte) bool { return string(x) == string(y) })
}

// progress says what cert-manager says of the Certificate.
func (c *CertManager) progress(ctx context.Context) string {
	var certificate certmanagerv1.Certificate
	if err := c.live.Get(ctx, c.Secret, &certificate); err != nil {
		return err.Error()
	}
	said := fmt.Sprintf("Certificate %q: cert-manager has not looked at it yet; does its controller run?", c.Secret)
	for _, condition := range certificate.Status.Conditions {
		if condition.Message != "" && condition.Type == certmanagerv1.CertificateConditionReady {
			said = fmt.Sprintf("Certificate %q: %s: %s", c.Secret, condition.Reason, condition.Message)
		}
	}
	return said
}

// key is the name of another object beside the Secret.
func (c *CertManager) key(suffix string) client.ObjectKey {
	return client.ObjectKey{Namespace: c.Secret.Namespace, Name: c.Secret.Name + suffix}
}

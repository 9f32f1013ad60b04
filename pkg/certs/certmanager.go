package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// certManagerProvider requests the certificate from cert-manager. It serves the certificate in the Secret as soon as
// every API server trusts it.
type certManagerProvider struct {
	*secretProvider
	// issuer is an existing issuer. If it is the zero value, the provider creates an issuer with a CA.
	issuer IssuerRef
	// applied has the version of each object that this process has applied.
	applied map[objectID]objectVersion
}

// IssuerRef names an Issuer in the webhook's namespace or a ClusterIssuer.
type IssuerRef struct{ Kind, Name string }

// NewCertManagerProvider returns a provider that requests its certificate from cert-manager. If the issuer is the zero
// value, the provider also requests a CA and an issuer.
func NewCertManagerProvider(config Config, issuer IssuerRef) Provider {
	return &certManagerProvider{secretProvider: newSecretProvider(config), issuer: issuer}
}

// SetUp implements Provider. It does not watch Certificates, because this would end the process if the CRDs of
// cert-manager are not installed yet.
func (p *certManagerProvider) SetUp(manager manager.Manager) error { return p.setUp(manager, p.sync) }

// certManagerRetryInterval is the time between two attempts while cert-manager or its certificate is missing.
const certManagerRetryInterval = 2 * time.Second

func (p *certManagerProvider) sync(
	ctx context.Context, configurations webhookConfigurations, now time.Time,
) (time.Time, error) {
	retry := now.Add(certManagerRetryInterval)
	if err := p.ensureCertificate(ctx); meta.IsNoMatchError(err) {
		p.setNotReady("cert-manager is not installed: the cluster has no kind %s in %s; "+
			"install cert-manager or choose another --cert-provider",
			certmanagerv1.CertificateKind, certmanagerv1.SchemeGroupVersion)
		return retry, nil
	} else if err != nil {
		return time.Time{}, err
	}
	issued, authorities, err := p.readIssued(ctx)
	if err != nil {
		p.setNotReady("%v; %s", err, p.certificateStatus(ctx))
		return retry, nil
	}
	trusted := trustedCAs(configurations, authorities, haveSameName(authorities), now)
	published := p.bundles.publishedFor(configurations, authorities[0], now)
	next, certificate, serving := now.Add(resyncInterval), issued, p.serving()
	if serving != nil && !sameCertificate(serving, issued) && published < p.propagationDelay() &&
		p.checkUsable(serving, trusted, now) == nil {
		// The current certificate is usable until all API servers know the CA of the issued one.
		next, certificate = now.Add(p.propagationDelay()-published), serving
	}
	if err := p.publishAndServe(ctx, configurations, trusted, certificate, now); err != nil {
		return time.Time{}, err
	}
	if !sameCertificate(serving, certificate) {
		p.Log.Info("serving a new certificate",
			"secret", p.Secret.String(), "expires", formatTime(issued.Leaf.NotAfter))
	}
	p.Metrics.setExpiry(authorities[0], certificate.Leaf)
	return next, nil
}

// readIssued returns the certificate in the Secret, and the CAs in the Secret. There is at least one CA.
func (p *certManagerProvider) readIssued(ctx context.Context) (*tls.Certificate, []*x509.Certificate, error) {
	secret, err := p.readSecret(ctx)
	if err != nil {
		return nil, nil, err
	}
	if secret.ResourceVersion == "" {
		return nil, nil, fmt.Errorf("the Secret %q does not exist yet", p.Secret)
	}
	certificate, err := parseServingCertificate(secret.Data)
	if err != nil {
		return nil, nil, fmt.Errorf("the Secret %q has no valid certificate: %w", p.Secret, err)
	}
	authorities, err := parseBundle(secret.Data[caCertificateKey])
	if err != nil {
		return nil, nil, fmt.Errorf("the Secret %q: key %q: %w", p.Secret, caCertificateKey, err)
	}
	if len(authorities) == 0 {
		return nil, nil, fmt.Errorf("the Secret %q has no key %q, so API servers cannot verify the certificate; "+
			"choose an issuer that provides its CA", p.Secret, caCertificateKey)
	}
	return certificate, authorities, nil
}

// haveSameName returns a function that reports whether a CA has the name of one of the authorities. CAs with other
// names do not belong to the webhook.
func haveSameName(authorities []*x509.Certificate) func(*x509.Certificate) bool {
	return func(ca *x509.Certificate) bool {
		return slices.ContainsFunc(authorities, func(authority *x509.Certificate) bool {
			return string(authority.RawSubject) == string(ca.RawSubject)
		})
	}
}

// sameCertificate reports whether two certificates have the same chain. Neither equals nil.
func sameCertificate(a, b *tls.Certificate) bool {
	return a != nil && b != nil && slices.EqualFunc(a.Certificate, b.Certificate, bytes.Equal)
}

// certificateStatus describes the state of the Certificate as cert-manager reports it.
func (p *certManagerProvider) certificateStatus(ctx context.Context) string {
	var certificate certmanagerv1.Certificate
	if err := p.apiReader.Get(ctx, p.Secret, &certificate); err != nil {
		return err.Error()
	}
	for _, condition := range certificate.Status.Conditions {
		if condition.Message != "" && condition.Type == certmanagerv1.CertificateConditionReady {
			return fmt.Sprintf("Certificate %q: %s: %s", p.Secret, condition.Reason, condition.Message)
		}
	}
	return fmt.Sprintf("Certificate %q has no status yet; check that the cert-manager controller runs", p.Secret)
}

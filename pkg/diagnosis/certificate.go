package diagnosis

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// expiryWarning is how long before its end a certificate gets a warning. kongdao renews it earlier.
const expiryWarning = 7 * 24 * time.Hour

// checkCertificate checks the serving certificate and the CA bundles.
func (i *Installation) checkCertificate() Results {
	bundles := i.checkBundles()
	if i.Certificate == nil {
		return append(bundles, Result{"certificate", Warning, "the Secret with the certificate cannot be read, or is missing",
			"with certificates.source files this is fine; otherwise see the log of the webhook"})
	}
	name := i.Certificate.Namespace + "/" + i.Certificate.Name
	certificate, err := parseCertificate(i.Certificate.Data["tls.crt"])
	if err != nil {
		return append(bundles, Result{"certificate", Failed, fmt.Sprintf("the certificate in Secret %q: %v", name, err),
			"delete the Secret: kongdao creates it again"})
	}
	remaining := certificate.NotAfter.Sub(i.Now)
	switch {
	case remaining <= 0:
		return append(bundles, Result{"certificate", Failed, fmt.Sprintf("the certificate in Secret %q expired at %s", name,
			certificate.NotAfter.Format(time.RFC3339)), "see the log of the webhook: it renews the certificate"})
	case remaining < expiryWarning:
		return append(bundles, Result{"certificate", Warning, fmt.Sprintf("the certificate in Secret %q expires at %s", name,
			certificate.NotAfter.Format(time.RFC3339)), "see the log of the webhook: it renews the certificate earlier"})
	}
	results := append(bundles, Result{"certificate", OK, fmt.Sprintf("the certificate is valid until %s",
		certificate.NotAfter.Format(time.DateOnly)), ""})
	return append(results, i.checkTrust(certificate))
}

// checkBundles checks that each webhook of kongdao has the CA of its certificate.
func (i *Installation) checkBundles() Results {
	var results Results
	for _, name := range []string{podsWebhook, workloadsWebhook, policiesWebhook} {
		for _, r := range i.registered(name) {
			if len(r.webhook.ClientConfig.CABundle) == 0 {
				results = append(results, Result{"ca-bundle", Failed, r.label() + " has no caBundle",
					"see the log of the webhook: it sets the caBundle. With cert-manager, its cainjector does"})
			}
		}
	}
	if len(results) == 0 {
		results = Results{{"ca-bundle", OK, "all webhooks have a caBundle", ""}}
	}
	return results
}

// checkTrust checks that the API server trusts the certificate.
func (i *Installation) checkTrust(certificate *x509.Certificate) Result {
	const id = "trust"
	for _, r := range i.registered(podsWebhook) {
		service := r.webhook.ClientConfig.Service
		if service == nil || len(r.webhook.ClientConfig.CABundle) == 0 {
			continue
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(r.webhook.ClientConfig.CABundle)
		_, err := certificate.Verify(x509.VerifyOptions{
			Roots: roots, CurrentTime: i.Now, DNSName: service.Name + "." + service.Namespace + ".svc",
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		})
		if err != nil {
			return Result{id, Failed, fmt.Sprintf("the caBundle of %s does not trust the certificate: %v", r.label(), err),
				"see the log of the webhook, or annotate the Secret with kongdao.io/rotate=now to get a new certificate"}
		}
	}
	return Result{id, OK, "the API server trusts the certificate", ""}
}

// parseCertificate parses the first certificate of a PEM text.
func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the key tls.crt has no certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"strings"
	"time"
)

// backdate moves the start of a certificate into the past, because the clocks of nodes differ.
const backdate = time.Hour

// organization is the subject's organization in all certificates.
const organization = "kongdao.io"

// caNamePrefix begins the common name of each CA. The time of its creation follows, for a human reader of a bundle.
const caNamePrefix = "kongdao CA "

// isOwnCA reports whether this package created a CA.
func isOwnCA(ca *x509.Certificate) bool {
	return strings.HasPrefix(ca.Subject.CommonName, caNamePrefix) &&
		slices.Equal(ca.Subject.Organization, []string{organization})
}

// issuedAt returns when this package created a certificate.
func issuedAt(certificate *x509.Certificate) time.Time { return certificate.NotBefore.Add(backdate) }

// renewalTime returns when a third of a certificate's lifetime is left.
func renewalTime(certificate *x509.Certificate) time.Time {
	return certificate.NotAfter.Add(-certificate.NotAfter.Sub(issuedAt(certificate)) / 3)
}

// newCA creates a CA with its key.
func newCA(lifetime time.Duration, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	template := &x509.Certificate{
		Subject: pkix.Name{
			CommonName:   caNamePrefix + now.UTC().Format(time.DateTime),
			Organization: []string{organization},
		},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate the CA's key: %w", err)
	}
	ca, err := sign(template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, fmt.Errorf("create the CA: %w", err)
	}
	return ca, key, nil
}

// newServingCertificate creates a certificate for a server, signed by a CA. It expires no later than the CA.
func newServingCertificate(
	settings Settings, now time.Time, ca *x509.Certificate, caKey *ecdsa.PrivateKey,
) (*tls.Certificate, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kongdao webhook", Organization: []string{organization}},
		DNSNames:    settings.DNSNames,
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(settings.Lifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if template.NotAfter.After(ca.NotAfter) {
		template.NotAfter = ca.NotAfter
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate the serving certificate's key: %w", err)
	}
	leaf, err := sign(template, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, fmt.Errorf("create the serving certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

func sign(
	template, parent *x509.Certificate, public *ecdsa.PublicKey, parentKey *ecdsa.PrivateKey,
) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, parentKey)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

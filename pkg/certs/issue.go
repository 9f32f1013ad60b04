package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"time"
)

// backdate is how much earlier than now a certificate begins: the clocks of
// nodes differ.
const backdate = time.Hour

// issuedAt is when a certificate of ours was really made.
func issuedAt(certificate *x509.Certificate) time.Time { return certificate.NotBefore.Add(backdate) }

// newAuthority makes a CA.
func newAuthority(lifetime time.Duration, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	template := &x509.Certificate{
		// The time tells two of them apart for whoever looks at a bundle.
		Subject:               pkix.Name{CommonName: "kongdao CA " + now.UTC().Format("2006-01-02 15:04:05"), Organization: []string{"kongdao.io"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make the CA's key: %w", err)
	}
	authority, err := sign(template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, fmt.Errorf("make the CA: %w", err)
	}
	return authority, key, nil
}

// newServing makes a certificate for a server of the names, signed by a CA. It
// does not outlive the CA.
func newServing(names []string, lifetime time.Duration, now time.Time, authority *x509.Certificate, authorityKey *ecdsa.PrivateKey) (*tls.Certificate, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kongdao webhook", Organization: []string{"kongdao.io"}},
		DNSNames:    names,
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(lifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if template.NotAfter.After(authority.NotAfter) {
		template.NotAfter = authority.NotAfter
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the serving certificate's key: %w", err)
	}
	leaf, err := sign(template, authority, &key.PublicKey, authorityKey)
	if err != nil {
		return nil, fmt.Errorf("make the serving certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

func sign(template, parent *x509.Certificate, public *ecdsa.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

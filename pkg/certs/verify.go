package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// checkUsable returns an error if API servers that trust the CAs would reject a serving certificate now.
func (s Settings) checkUsable(serving *tls.Certificate, trustedCAs []*x509.Certificate, now time.Time) error {
	if serving == nil || serving.Leaf == nil {
		return errors.New("there was none")
	}
	for _, name := range s.DNSNames {
		if err := verify(serving, trustedCAs, name, now); err != nil {
			return fmt.Errorf("the previous one is not usable: %w", err)
		}
	}
	return nil
}

// verify checks a serving certificate as an API server does that trusts the CAs and calls the server by a DNS name.
func verify(serving *tls.Certificate, trustedCAs []*x509.Certificate, dnsName string, now time.Time) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, ca := range trustedCAs {
		roots.AddCert(ca)
	}
	for _, der := range serving.Certificate[1:] {
		if intermediate, err := x509.ParseCertificate(der); err == nil {
			intermediates.AddCert(intermediate)
		}
	}
	_, err := serving.Leaf.Verify(x509.VerifyOptions{
		DNSName: dnsName, Roots: roots, Intermediates: intermediates, CurrentTime: now,
	})
	return err
}

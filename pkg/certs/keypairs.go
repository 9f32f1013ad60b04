package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// The keys of the Secret's data. The serving certificate is stored as in any Secret of the type kubernetes.io/tls.
const (
	caCertificateKey = "ca.crt" // all trusted CAs; the last one is the signing CA
	caPrivateKeyKey  = "ca.key" // the private key of the signing CA
	certificateKey   = corev1.TLSCertKey
	privateKeyKey    = corev1.TLSPrivateKeyKey
)

// keyPairs is what the Secret holds: the CAs and the serving certificate, with their private keys. The zero value
// stands for an empty Secret.
type keyPairs struct {
	// trustedCAs are the CAs of all certificates that a replica may serve, oldest first. The last one signs.
	trustedCAs []*x509.Certificate
	// caKey is the private key of the signing CA, or nil. Older CAs do not sign, so their keys are not kept.
	caKey *ecdsa.PrivateKey
	// serving is the certificate that replicas serve, or nil.
	serving *tls.Certificate
}

// signingCA returns the CA that signs serving certificates. It returns nil if there is no CA with a private key.
func (k keyPairs) signingCA() *x509.Certificate {
	if k.caKey == nil || len(k.trustedCAs) == 0 {
		return nil
	}
	return k.trustedCAs[len(k.trustedCAs)-1]
}

// parseSecret reads a Secret's data. It leaves out the parts that it cannot read and returns an error for each of them.
// Missing keys are not an error.
func parseSecret(data map[string][]byte) (keyPairs, []error) {
	var pairs keyPairs
	var problems []error
	report := func(key string, err error) { problems = append(problems, fmt.Errorf("key %q: %w", key, err)) }
	if text := data[caCertificateKey]; len(text) > 0 {
		trusted, err := parseBundle(text)
		if err != nil {
			report(caCertificateKey, err)
		}
		pairs.trustedCAs = trusted
	}
	if text := data[caPrivateKeyKey]; len(text) > 0 {
		key, err := parsePrivateKey(text)
		trusted := pairs.trustedCAs
		switch {
		case err != nil:
			report(caPrivateKeyKey, err)
		case len(trusted) == 0 || !key.PublicKey.Equal(trusted[len(trusted)-1].PublicKey):
			report(caPrivateKeyKey, fmt.Errorf("does not match the last certificate in %q", caCertificateKey))
		default:
			pairs.caKey = key
		}
	}
	if len(data[certificateKey]) > 0 || len(data[privateKeyKey]) > 0 {
		serving, err := parseServingCertificate(data)
		if err != nil {
			report(certificateKey, err)
		}
		pairs.serving = serving
	}
	return pairs, problems
}

// parseServingCertificate reads the certificate and the private key from the data of a Secret.
func parseServingCertificate(data map[string][]byte) (*tls.Certificate, error) {
	certificate, err := tls.X509KeyPair(data[certificateKey], data[privateKeyKey])
	if err != nil {
		return nil, err
	}
	return &certificate, nil
}

// secretData returns the Secret's data for the key pairs.
func (k keyPairs) secretData() (map[string][]byte, error) {
	data := map[string][]byte{caCertificateKey: encodeBundle(k.trustedCAs)}
	if k.caKey != nil {
		text, err := encodePrivateKey(k.caKey)
		if err != nil {
			return nil, err
		}
		data[caPrivateKeyKey] = text
	}
	if k.serving != nil {
		text, err := encodePrivateKey(k.serving.PrivateKey)
		if err != nil {
			return nil, err
		}
		data[privateKeyKey] = text
		for _, der := range k.serving.Certificate {
			data[certificateKey] = append(data[certificateKey], encodeCertificate(der)...)
		}
	}
	return data, nil
}

// equalData reports whether two Secrets have the same data.
func equalData(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }

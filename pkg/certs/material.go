package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// The keys of the Secret: those of the type kubernetes.io/tls, and the CA's.
const (
	keyCA      = "ca.crt" // all CAs that are trusted; the last one signs
	keySigner  = "ca.key" // the key of the last one
	keyServing = corev1.TLSCertKey
	keyPrivate = corev1.TLSPrivateKeyKey
)

// Material is what the Secret holds: the CAs, and the certificate that is
// served. The zero value holds nothing.
type Material struct {
	// Trusted are the CAs that may have signed what some replica serves,
	// oldest first. The last one is the signer.
	Trusted []*x509.Certificate
	// SignerKey is the key of the last of Trusted, nil where there is none.
	// Older CAs have no key any more: they sign nothing.
	SignerKey *ecdsa.PrivateKey
	// Serving is what replicas serve, nil where there is none.
	Serving *tls.Certificate
}

// ParseSecret reads a Secret's data. It always yields a Material, without the
// parts that cannot be read, and a list of what is wrong with them. A Secret
// without data is an empty Material, and nothing is wrong with it.
func ParseSecret(data map[string][]byte) (Material, []error) {
	var material Material
	var wrong []error
	fail := func(key string, err error) { wrong = append(wrong, fmt.Errorf("key %q: %w", key, err)) }
	if text := data[keyCA]; len(text) > 0 {
		trusted, err := parseCertificates(text)
		if err != nil {
			fail(keyCA, err)
		}
		material.Trusted = trusted
	}
	if text := data[keySigner]; len(text) > 0 {
		key, err := parseKey(text)
		switch {
		case err != nil:
			fail(keySigner, err)
		case len(material.Trusted) == 0 || !key.PublicKey.Equal(material.Trusted[len(material.Trusted)-1].PublicKey):
			fail(keySigner, fmt.Errorf("is not the key of the last certificate in %q", keyCA))
		default:
			material.SignerKey = key
		}
	}
	if len(data[keyServing]) > 0 || len(data[keyPrivate]) > 0 {
		pair, err := ParsePair(data)
		if err != nil {
			fail(keyServing, err)
		}
		material.Serving = pair
	}
	return material, wrong
}

// ParsePair reads the certificate and its key out of a Secret of the type
// kubernetes.io/tls.
func ParsePair(data map[string][]byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(data[keyServing], data[keyPrivate])
	if err != nil {
		return nil, err
	}
	return &pair, nil
}

// Data is the Secret's data for the material.
func (m Material) Data() (map[string][]byte, error) {
	data := map[string][]byte{keyCA: m.Bundle()}
	if m.SignerKey != nil {
		text, err := encodeKey(m.SignerKey)
		if err != nil {
			return nil, err
		}
		data[keySigner] = text
	}
	if m.Serving != nil {
		text, err := encodeKey(m.Serving.PrivateKey)
		if err != nil {
			return nil, err
		}
		data[keyPrivate] = text
		for _, der := range m.Serving.Certificate {
			data[keyServing] = append(data[keyServing], encodeCertificate(der)...)
		}
	}
	return data, nil
}

// Bundle is the CAs as the API server wants them: PEM, one after the other.
func (m Material) Bundle() []byte { return encodeBundle(m.Trusted) }

func encodeBundle(trusted []*x509.Certificate) []byte {
	var text []byte
	for _, ca := range trusted {
		text = append(text, encodeCertificate(ca.Raw)...)
	}
	return text
}

// sameData reports whether two Secrets hold the same.
func sameData(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }

// signer is the CA that signs, nil where there is none with a key.
func (m Material) signer() *x509.Certificate {
	if m.SignerKey == nil || len(m.Trusted) == 0 {
		return nil
	}
	return m.Trusted[len(m.Trusted)-1]
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func parseKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("holds no PEM block")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	curve, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("is a key of type %T, not an ECDSA key", key)
	}
	return curve, nil
}

// parseCertificates reads PEM certificates, each once. Those before one that
// cannot be read are yielded beside the error.
func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for len(bytes.TrimSpace(text)) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return certificates, errors.New("holds something that is no PEM block")
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return certificates, err
		}
		if !slices.ContainsFunc(certificates, certificate.Equal) {
			certificates = append(certificates, certificate)
		}
	}
	return certificates, nil
}

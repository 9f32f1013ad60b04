package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
)

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// encodeBundle returns the certificates as a caBundle: PEM blocks, one after the other.
func encodeBundle(certificates []*x509.Certificate) []byte {
	var text []byte
	for _, certificate := range certificates {
		text = append(text, encodeCertificate(certificate.Raw)...)
	}
	return text
}

// parseBundle reads PEM certificates and removes duplicates. On an error it also returns the certificates before the
// invalid part.
func parseBundle(text []byte) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for len(bytes.TrimSpace(text)) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return certificates, errors.New("has text that is not a PEM block")
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

func encodePrivateKey(key crypto.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func parsePrivateKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("has no PEM block")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	ecdsaKey, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("is a key of type %T, not an ECDSA key", key)
	}
	return ecdsaKey, nil
}

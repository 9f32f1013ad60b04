package controlplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
)

// pki is a CA, and a directory with the certificates and keys of the programs.
type pki struct {
	dir   string
	ca    *x509.Certificate
	caKey *ecdsa.PrivateKey
	caPEM []byte
}

func (p *pki) caFile() string                { return filepath.Join(p.dir, "ca.crt") }
func (p *pki) servingCertFile() string       { return filepath.Join(p.dir, "serving.crt") }
func (p *pki) servingKeyFile() string        { return filepath.Join(p.dir, "serving.key") }
func (p *pki) serviceAccountKeyFile() string { return filepath.Join(p.dir, "service-accounts.key") }

// newPKI creates a CA, a serving certificate, and the key that signs tokens of service accounts. It writes them to dir.
func newPKI(dir string) (*pki, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := &pki{dir: dir}
	caTemplate := &x509.Certificate{
		Subject: pkix.Name{CommonName: "test control plane"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	var err error
	if p.caPEM, _, err = p.issue(caTemplate); err != nil {
		return nil, err
	}
	certPEM, keyPEM, err := p.servingCertificate(
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
	if err != nil {
		return nil, err
	}
	_, tokenKeyPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	for path, content := range map[string][]byte{
		p.caFile():                p.caPEM,
		p.servingCertFile():       certPEM,
		p.servingKeyFile():        keyPEM,
		p.serviceAccountKeyFile(): tokenKeyPEM,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// servingCertificate creates a certificate for a server on the loopback address, with additional DNS names.
func (p *pki) servingCertificate(names ...string) (certPEM, keyPEM []byte, err error) {
	return p.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "test server"},
		DNSNames:    append([]string{"localhost"}, names...),
		IPAddresses: []net.IP{net.ParseIP(loopback)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// issue creates a key, and completes and signs the certificate template. The first certificate becomes the CA.
func (p *pki) issue(template *x509.Certificate) (certPEM, keyPEM []byte, err error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	// The clock may differ from that of another virtual machine.
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(7*24*time.Hour)
	if p.ca == nil {
		p.ca, p.caKey = template, key
	} else {
		template.KeyUsage = x509.KeyUsageDigitalSignature
	}
	der, err := x509.CreateCertificate(rand.Reader, template, p.ca, key.Public(), p.caKey)
	if err != nil {
		return nil, nil, fmt.Errorf("sign the certificate of %q: %w", template.Subject.CommonName, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM, nil
}

// clientConfig returns the client configuration of a user. It turns off the throttling of client-go, which delays tests
// with many requests (fact W5).
func (p *pki) clientConfig(host, name string, groups []string) (*rest.Config, error) {
	certPEM, keyPEM, err := p.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: host, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: p.caPEM, CertData: certPEM, KeyData: keyPEM},
	}, nil
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("create a key: %w", err)
	}
	// Not PKCS #8, because Kubernetes reads keys of service accounts in this format only if they are RSA keys.
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("create a key: %w", err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

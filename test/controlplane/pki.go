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
	"net/url"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// pki is a certificate authority, and the files that the programs are given of it.
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

// newPKI makes an authority, a serving certificate and the key that signs service accounts' tokens, in dir.
func newPKI(dir string) (*pki, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := &pki{dir: dir}
	caTemplate := &x509.Certificate{
		Subject: pkix.Name{CommonName: "control plane of a test"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	var err error
	if p.caPEM, _, err = p.issue(caTemplate); err != nil {
		return nil, err
	}
	certPEM, keyPEM, err := p.servingCertificate("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
	if err != nil {
		return nil, err
	}
	_, tokenKeyPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	for path, content := range map[string][]byte{
		p.caFile(): p.caPEM, p.servingCertFile(): certPEM, p.servingKeyFile(): keyPEM, p.serviceAccountKeyFile(): tokenKeyPEM,
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// servingCertificate makes one for a server on the loopback address that may go by further names.
func (p *pki) servingCertificate(names ...string) (certPEM, keyPEM []byte, err error) {
	return p.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "a server of a test"},
		DNSNames:    append([]string{"localhost"}, names...),
		IPAddresses: []net.IP{net.ParseIP(loopback)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// issue completes and signs a certificate and makes its key. The first one that it is asked for becomes the authority.
func (p *pki) issue(template *x509.Certificate) (certPEM, keyPEM []byte, err error) {
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	// Room for clocks that differ, as those of virtual machines do.
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(7*24*time.Hour)
	if p.ca == nil {
		p.ca, p.caKey = template, key
	} else {
		template.KeyUsage = x509.KeyUsageDigitalSignature
	}
	der, err := x509.CreateCertificate(rand.Reader, template, p.ca, key.Public(), p.caKey)
	if err != nil {
		return nil, nil, fmt.Errorf("signing the certificate of %q: %w", template.Subject.CommonName, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM, nil
}

// clientConfig returns a way in to host as a user. Requests are not throttled on the client's side (W5).
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
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	// This form and not PKCS #8, of which Kubernetes' reader of service account keys takes RSA ones only.
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key: %w", err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// writeKubeconfig writes config to a new file in dir, which holds all it needs, and returns its path.
func writeKubeconfig(dir, name string, config *rest.Config) (string, error) {
	const entry = "local"
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters[entry] = &clientcmdapi.Cluster{Server: config.Host, CertificateAuthorityData: config.CAData}
	kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: config.CertData, ClientKeyData: config.KeyData}
	kubeconfig.Contexts[entry] = &clientcmdapi.Context{Cluster: entry, AuthInfo: name}
	kubeconfig.CurrentContext = entry
	content, err := clientcmd.Write(*kubeconfig)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	// Two users may have one name and differ in their groups, so each file's name ends differently.
	file, err := os.CreateTemp(dir, url.PathEscape(name)+"-*.kubeconfig")
	if err != nil {
		return "", err
	}
	if _, err := file.Write(content); err != nil {
		_ = file.Close()
		return "", err
	}
	return file.Name(), file.Close()
}

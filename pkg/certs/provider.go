package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"

	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// Provider is where the certificate comes from that the webhook serves.
type Provider interface {
	// SetUp registers with the manager what keeps the certificate right.
	SetUp(manager manager.Manager) error
	// GetCertificate is that of a tls.Config: what is served now.
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Ready says in words why there is nothing to serve yet, nil where there is.
	Ready() error
}

// Keeper holds what is served now. The zero value holds nothing.
type Keeper struct {
	serving atomic.Pointer[tls.Certificate]
}

// Serve makes a certificate the one that is served.
func (k *Keeper) Serve(certificate *tls.Certificate) { k.serving.Store(certificate) }

// GetCertificate is that of a tls.Config.
func (k *Keeper) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if serving := k.serving.Load(); serving != nil {
		return serving, nil
	}
	return nil, errors.New("there is no certificate to serve yet; /readyz says why")
}

// Files serves a certificate from two files that somebody else keeps right, and
// serves what changes in them without a restart.
type Files struct{ watcher *certwatcher.CertWatcher }

// NewFiles reads the certificate and its key.
func NewFiles(certificate, key string) (*Files, error) {
	watcher, err := certwatcher.New(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %q and its key %q: %w", certificate, key, err)
	}
	return &Files{watcher}, nil
}

// SetUp has the files watched.
func (f *Files) SetUp(manager manager.Manager) error { return manager.Add(f.watcher) }

// GetCertificate is that of a tls.Config.
func (f *Files) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.watcher.GetCertificate(hello)
}

// Ready is nil: without the files there are no Files.
func (f *Files) Ready() error { return nil }

package certs

import (
	"crypto/tls"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// fileProvider serves a certificate from two files that another program maintains. It reloads changed files.
type fileProvider struct{ watcher *certwatcher.CertWatcher }

// NewFileProvider returns a provider for a certificate file and a private key file. Both must exist.
func NewFileProvider(certificateFile, keyFile string) (Provider, error) {
	watcher, err := certwatcher.New(certificateFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %q and its key %q: %w", certificateFile, keyFile, err)
	}
	return &fileProvider{watcher}, nil
}

// SetUp implements Provider.
func (f *fileProvider) SetUp(manager manager.Manager) error { return manager.Add(f.watcher) }

// GetCertificate implements Provider.
func (f *fileProvider) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.watcher.GetCertificate(hello)
}

// Ready returns nil, because NewFileProvider has already read the files.
func (f *fileProvider) Ready() error { return nil }

package certs

import (
	"crypto/tls"
	"errors"
	"sync/atomic"

	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// Provider provides the certificate that the webhook serves.
type Provider interface {
	// SetUp registers what keeps the certificate valid with the manager.
	SetUp(manager manager.Manager) error
	// GetCertificate returns the current serving certificate. Use it as tls.Config.GetCertificate.
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Ready returns an error with the reason until there is a certificate that API servers trust.
	Ready() error
}

// certificateHolder holds the current serving certificate. The zero value holds none. It is safe for concurrent use.
type certificateHolder struct {
	current atomic.Pointer[tls.Certificate]
}

// serve replaces the serving certificate.
func (h *certificateHolder) serve(certificate *tls.Certificate) { h.current.Store(certificate) }

// serving returns the serving certificate, or nil if there is none yet.
func (h *certificateHolder) serving() *tls.Certificate { return h.current.Load() }

// GetCertificate implements Provider.
func (h *certificateHolder) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if serving := h.serving(); serving != nil {
		return serving, nil
	}
	return nil, errors.New("no serving certificate yet; see /readyz for the reason")
}

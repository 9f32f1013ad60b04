package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	"kongdao.io/kongdao/pkg/certs"
	"kongdao.io/kongdao/pkg/webhookserver"
)

// bodyBudget limits the memory for large reviews. With the catalog of the largest tested cluster, it leaves a third of
// the chart's memory limit free.
const bodyBudget = 32 << 20

// newWebhookServer returns the server for admissions.
func newWebhookServer(options Options, certificate certs.Provider) (webhook.Server, error) {
	config := &tls.Config{
		GetCertificate: certificate.GetCertificate,
		MinVersion:     tlsVersions()[options.TLSMinVersion],
		// The API server speaks only HTTP/1.1 to a Service (fact W9). Without HTTP/2, no client can exhaust the process
		// with streams.
		NextProtos: []string{"http/1.1"},
	}
	if options.ClientCA != "" {
		file := filepath.Join(options.CertDir, options.ClientCA)
		text, err := os.ReadFile(file) //nolint:gosec // G304: the person who starts the webhook names the file
		if err != nil {
			return nil, fmt.Errorf("--client-ca: %w", err)
		}
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !config.ClientCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--client-ca: %q contains no certificate in PEM", file)
		}
	}
	return webhookserver.New(webhookserver.Options{
		Host: options.Host, Port: options.Port, TLS: config,
		RequestTimeout: options.AdmissionTimeout,
		MaxConnections: options.MaxConnections,
		BodyBudget:     bodyBudget,
		Log:            ctrl.Log.WithName("webhook"),
	}), nil
}

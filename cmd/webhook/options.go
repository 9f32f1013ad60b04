package main

import (
	"time"

	"kongdao.io/kongdao/pkg/process"
)

// Options are the settings of the webhook. Each has a flag.
type Options struct {
	// Options are the settings that the webhook shares with the controller. With Migrations, pods wait for their
	// migrations. The webhook keeps the caBundle of WebhookConfiguration up to date, unless the provider is "files".
	// Namespace contains the Secret with the certificate, and the Service that the API server calls.
	process.Options
	// Host and Port are the address that admissions are served on.
	Host string
	Port int
	// AdmissionTimeout is how long the API server waits for an answer. A client that does not complete its request in
	// this time loses its connection.
	AdmissionTimeout time.Duration
	// RequireMigrations denies pods with migrations that kongdao cannot run. Otherwise they get a warning.
	RequireMigrations bool
	// MaxConnections limits the open connections to the admission port.
	MaxConnections int
	// TLSMinVersion is "1.2" or "1.3".
	TLSMinVersion string
	// ClientCA is a file in CertDir. If it is set, only clients with a certificate of this CA are served.
	ClientCA string
	// ShutdownTimeout limits how long the process waits for admissions in progress.
	ShutdownTimeout time.Duration

	// CertProvider is the source of the serving certificate: "self", "cert-manager" or "files".
	CertProvider string
	// CertIssuer is an existing issuer of cert-manager, KIND/NAME. If it is empty, the webhook creates issuers.
	CertIssuer string
	// CertDir contains the files CertName and KeyName, for "files". Changed files are served without a restart.
	CertDir, CertName, KeyName string
	// CertSecret is the Secret with the certificate, and CertService is the Service that the API server calls.
	CertSecret, CertService string
	// CertNames are DNS names for the certificate in addition to those of the Service.
	CertNames []string
	// CALifetime and CertLifetime apply to "self" and "cert-manager".
	CALifetime, CertLifetime time.Duration
}

// DefaultOptions returns the options of a webhook that runs in a cluster.
func DefaultOptions() Options {
	return Options{ //nolint:gosec // G101: the name of a Secret is not a secret
		Options:          process.DefaultOptions(),
		Port:             9443,
		AdmissionTimeout: 5 * time.Second,
		MaxConnections:   1024,
		TLSMinVersion:    "1.2",
		ShutdownTimeout:  30 * time.Second,

		CertProvider: providerFiles,
		CertDir:      "/etc/kongdao/certs",
		CertName:     "tls.crt",
		KeyName:      "tls.key",
		CertSecret:   "kongdao-webhook-certificate",
		CertService:  "kongdao-webhook",
		CALifetime:   365 * 24 * time.Hour,
		CertLifetime: 90 * 24 * time.Hour,
	}
}

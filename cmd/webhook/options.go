package main

import (
	"os"
	"time"

	"kongdao.io/kongdao/pkg/scope"
)

// Options are the settings of the process. Each has a flag.
type Options struct {
	// Kubeconfig names the cluster. If it is empty, the process uses the cluster that it runs in.
	Kubeconfig string
	// Host and Port are the address that admissions are served on.
	Host string
	Port int
	// AdmissionTimeout is how long the API server waits for an answer. A client that does not complete its request in
	// this time loses its connection.
	AdmissionTimeout time.Duration
	// MaxConnections limits the open connections to the admission port.
	MaxConnections int
	// TLSMinVersion is "1.2" or "1.3".
	TLSMinVersion string
	// ClientCA is a file in CertDir. If it is set, only clients with a certificate of this CA are served.
	ClientCA string
	// MetricsAddress, HealthAddress and ProfilingAddress have the form host:port. "0" disables the endpoint.
	MetricsAddress, HealthAddress, ProfilingAddress string
	// LogLevel is "debug", "info" or "error".
	LogLevel string
	// ShutdownTimeout limits how long the process waits for admissions in progress.
	ShutdownTimeout time.Duration

	// CertProvider is the source of the serving certificate: "self", "cert-manager" or "files".
	CertProvider string
	// CertIssuer is an existing issuer of cert-manager, KIND/NAME. If it is empty, the webhook creates issuers.
	CertIssuer string
	// CertDir contains the files CertName and KeyName, for "files". Changed files are served without a restart.
	CertDir, CertName, KeyName string
	// Namespace is the webhook's own namespace. It contains the Secret with the certificate, the Service that the API
	// server calls, and the leader's Lease.
	Namespace, CertSecret, CertService string
	// CertNames are DNS names for the certificate in addition to those of the Service.
	CertNames []string
	// CALifetime and CertLifetime apply to "self" and "cert-manager".
	CALifetime, CertLifetime time.Duration
	// WebhookConfiguration names the MutatingWebhookConfiguration whose caBundle the webhook keeps up to date, unless the
	// provider is "files".
	WebhookConfiguration string

	// WatchNamespaces are the namespaces to work in. If it is empty, the webhook works in all namespaces.
	WatchNamespaces []string
	// NamespaceSelector is the label selector of the webhooks for namespaces, as text. If it is empty, the webhook works
	// in all namespaces except kube-system and its own.
	NamespaceSelector string
	// Migrations enables the controller that runs migrations.
	Migrations bool
	// MigrationTimeout limits one migration, MigrationDeadline limits one Job. JobRetention is how long a finished Job is
	// kept.
	MigrationTimeout, MigrationDeadline, JobRetention time.Duration
	// FinishDelay is how long "kong migrations finish" must be possible before it starts.
	FinishDelay time.Duration
	// MigrationHistory is how many PluginMigrations that no pod needs are kept for each database.
	MigrationHistory int
	// JobLabels and JobAnnotations are for the pods of Jobs.
	JobLabels, JobAnnotations map[string]string
	// Policies enables PluginPolicies.
	Policies bool
	// CopyRetention is how long to keep a copy of a library's release that no pod and no policy needs.
	CopyRetention time.Duration
}

// DefaultOptions returns the options of a webhook that runs in a cluster.
func DefaultOptions() Options {
	return Options{ //nolint:gosec // G101: the name of a Secret is not a secret
		Port:             9443,
		AdmissionTimeout: 5 * time.Second,
		MaxConnections:   1024,
		TLSMinVersion:    "1.2",
		MetricsAddress:   ":8080",
		HealthAddress:    ":8081",
		ProfilingAddress: "0",
		LogLevel:         "info",
		ShutdownTimeout:  30 * time.Second,

		CertProvider:         providerFiles,
		CertDir:              "/etc/kongdao/certs",
		CertName:             "tls.crt",
		KeyName:              "tls.key",
		Namespace:            os.Getenv("POD_NAMESPACE"),
		CertSecret:           "kongdao-webhook-certificate",
		CertService:          "kongdao-webhook",
		CALifetime:           365 * 24 * time.Hour,
		CertLifetime:         90 * 24 * time.Hour,
		WebhookConfiguration: "kongdao",

		MigrationTimeout:  10 * time.Minute,
		MigrationDeadline: 30 * time.Minute,
		FinishDelay:       5 * time.Second,
		MigrationHistory:  10,
		JobRetention:      24 * time.Hour,
		CopyRetention:     10 * time.Minute,
	}
}

// scope returns the namespaces to work in.
func (o *Options) scope() (scope.Scope, error) { return scope.New(o.Namespace, o.NamespaceSelector) }

// needsLeader returns the flag that needs leader election, or "" if none does.
func (o *Options) needsLeader() string {
	switch {
	case o.Migrations:
		return "--migrations"
	case o.Policies:
		return "--policies"
	}
	return ""
}

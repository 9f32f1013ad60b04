package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Options is all that can be set.
type Options struct {
	// Kubeconfig names the cluster; "" is the one that the process runs in.
	Kubeconfig string
	// Host and Port are where the API server reaches the webhook.
	Host string
	Port int
	// CertProvider says where the serving certificate comes from: "self",
	// "cert-manager" or "files".
	CertProvider string
	// CertIssuer is one of cert-manager's that is there, as KIND/NAME; "" has
	// issuers made.
	CertIssuer string
	// CertDir holds, for "files", the serving certificate and its key, in files
	// CertName and KeyName. Changed files are served without a restart.
	CertDir, CertName, KeyName string
	// Namespace is the webhook's own. In it are the Secret that holds the
	// certificate and the Service that the API server calls.
	Namespace, CertSecret, CertService string
	// CertNames are DNS names for the certificate besides the Service's.
	CertNames []string
	// CALifetime and CertLifetime are those of what "self" makes.
	CALifetime, CertLifetime time.Duration
	// WebhookConfiguration names the MutatingWebhookConfiguration whose
	// caBundle is kept right, unless the provider is "files".
	WebhookConfiguration string
	// ClientCA is a file in CertDir: only clients with a certificate of this
	// CA are served. "" serves all that come.
	ClientCA string
	// TLSMinVersion is "1.2" or "1.3".
	TLSMinVersion string
	// WatchNamespaces are those whose sources are read; none for all.
	WatchNamespaces []string
	// Migrations are run for pods whose plugins bring some.
	Migrations bool
	// Policies are followed; CopyRetention is how long the copy of a library's release
	// stays that nobody needs.
	Policies      bool
	CopyRetention time.Duration
	// MigrationTimeout is how long one migration may take, MigrationDeadline how
	// long a Job tries, JobRetention how long it stays when it has ended.
	MigrationTimeout, MigrationDeadline, JobRetention time.Duration
	// MigrationHistory is how many PluginMigrations of a database are kept that no
	// pod needs.
	MigrationHistory int
	// JobLabels and JobAnnotations are for the pods of Jobs.
	JobLabels, JobAnnotations map[string]string
	// MetricsAddress, HealthAddress and ProfilingAddress are host:port; "0" serves none.
	MetricsAddress, HealthAddress, ProfilingAddress string
	// LogLevel is "debug", "info" or "error".
	LogLevel string
	// ShutdownTimeout bounds how long admissions in flight are waited for.
	ShutdownTimeout time.Duration
}

// DefaultOptions are those of a webhook in a cluster.
func DefaultOptions() Options {
	return Options{ //nolint:gosec // G101: the name of a Secret is no secret
		Port:           9443,
		CertProvider:   certFiles,
		CertDir:        "/etc/kongdao/certs",
		CertName:       "tls.crt",
		KeyName:        "tls.key",
		Namespace:      os.Getenv("POD_NAMESPACE"),
		CertSecret:     "kongdao-webhook-certificate",
		CertService:    "kongdao-webhook",
		CALifetime:     365 * 24 * time.Hour,
		CertLifetime:   90 * 24 * time.Hour,
		TLSMinVersion:  "1.2",
		MetricsAddress: ":8080",
		HealthAddress:  ":8081",

		ProfilingAddress: "0",

		MigrationTimeout:  10 * time.Minute,
		MigrationDeadline: 30 * time.Minute,
		JobRetention:      24 * time.Hour,
		CopyRetention:     10 * time.Minute,
		MigrationHistory:  10,

		LogLevel:        "info",
		ShutdownTimeout: 30 * time.Second,

		WebhookConfiguration: "kongdao",
	}
}

// AddFlags makes every option a flag.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "the `file` that names the cluster; without it, the cluster that the process runs in")
	flags.StringVar(&o.Host, "host", o.Host, "the address to serve admissions on; without it, all addresses")
	flags.IntVar(&o.Port, "port", o.Port, "the port to serve admissions on")
	flags.StringVar(&o.CertProvider, "cert-provider", o.CertProvider, "where the serving certificate comes from: self, for a CA of its own, cert-manager, or files")
	flags.StringVar(&o.CertIssuer, "cert-issuer", o.CertIssuer, "the `KIND/NAME` of an issuer for --cert-provider cert-manager; without it, issuers are made")
	flags.StringVar(&o.Namespace, "namespace", o.Namespace, "the webhook's own namespace; by default $POD_NAMESPACE")
	flags.StringVar(&o.CertSecret, "cert-secret", o.CertSecret, "the Secret in --namespace that holds the certificate of self and cert-manager")
	flags.StringVar(&o.CertService, "cert-service", o.CertService, "the Service in --namespace by which the API server calls the webhook")
	flags.StringSliceVar(&o.CertNames, "cert-names", o.CertNames, "further DNS names for the certificate")
	flags.DurationVar(&o.CALifetime, "ca-lifetime", o.CALifetime, "how long a CA of self or cert-manager is good; it is renewed when a third of that is left")
	flags.DurationVar(&o.CertLifetime, "cert-lifetime", o.CertLifetime, "how long what it signs is good; likewise")
	flags.StringVar(&o.WebhookConfiguration, "webhook-configuration", o.WebhookConfiguration, "the MutatingWebhookConfiguration whose caBundle self and cert-manager keep right")
	flags.StringVar(&o.CertDir, "cert-dir", o.CertDir, "the `folder` with the serving certificate and its key")
	flags.StringVar(&o.CertName, "cert-name", o.CertName, "the certificate's `file` in --cert-dir")
	flags.StringVar(&o.KeyName, "key-name", o.KeyName, "the key's `file` in --cert-dir")
	flags.StringVar(&o.ClientCA, "client-ca", o.ClientCA, "a CA's `file` in --cert-dir: serve only clients with a certificate of it, as an API server can be set up to show")
	flags.StringVar(&o.TLSMinVersion, "tls-min-version", o.TLSMinVersion, "the oldest `version` of TLS that is spoken, 1.2 or 1.3")
	flags.StringVar(&o.MetricsAddress, "metrics-address", o.MetricsAddress, "the `host:port` to serve Prometheus metrics on; 0 for none")
	flags.StringVar(&o.HealthAddress, "health-address", o.HealthAddress, "the `host:port` to serve /healthz and /readyz on; 0 for none")
	flags.StringVar(&o.ProfilingAddress, "profiling-address", o.ProfilingAddress, "the `host:port` to serve Go's profiles on; 0 for none")
	flags.StringSliceVar(&o.WatchNamespaces, "watch-namespaces", o.WatchNamespaces, "the namespaces whose plugins are known; without it, all")
	flags.BoolVar(&o.Migrations, "migrations", o.Migrations, "have pods wait until their plugins' migrations were run, and run them by Jobs")
	flags.BoolVar(&o.Policies, "policies", o.Policies, "follow PluginPolicies")
	flags.DurationVar(&o.CopyRetention, "copy-retention", o.CopyRetention, "how long the copy of a library's release stays that neither a pod nor a policy needs")
	flags.DurationVar(&o.MigrationTimeout, "migration-timeout", o.MigrationTimeout, "how long one migration may take")
	flags.DurationVar(&o.MigrationDeadline, "migration-deadline", o.MigrationDeadline, "how long a Job tries, while the database does not answer or another holds its lock")
	flags.DurationVar(&o.JobRetention, "job-retention", o.JobRetention, "how long a Job stays when it has ended")
	flags.IntVar(&o.MigrationHistory, "migration-history", o.MigrationHistory, "how many PluginMigrations of a database are kept that no pod needs any more")
	flags.StringToStringVar(&o.JobLabels, "job-labels", o.JobLabels, "labels of the Jobs' pods, `name=value`, as a NetworkPolicy may want them")
	flags.StringToStringVar(&o.JobAnnotations, "job-annotations", o.JobAnnotations, "annotations of the Jobs' pods, `name=value`")
	flags.StringVar(&o.LogLevel, "log-level", o.LogLevel, "what is logged: debug, info or error")
	flags.DurationVar(&o.ShutdownTimeout, "shutdown-timeout", o.ShutdownTimeout, "how long to wait for admissions in flight when told to stop")
}

// Validate says everything that is wrong with the options, each with its flag.
func (o *Options) Validate() error {
	var wrong []error
	deny := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if o.Port < 1 || o.Port > 65535 {
		deny("--port %d: not a port, 1 to 65535", o.Port)
	}
	if o.Kubeconfig != "" {
		if _, err := os.Stat(o.Kubeconfig); err != nil {
			deny("--kubeconfig: %w", err)
		}
	}
	wrong = append(wrong, o.validateCertificate()...)
	if flag := o.leads(); flag != "" && o.CertProvider == certFiles { // others say it of their Secret
		if problems := validation.IsDNS1123Label(o.Namespace); len(problems) > 0 {
			deny("--namespace %q: no namespace's name, and %s keeps its lease there: %s", o.Namespace, flag, problems[0])
		}
	}
	wrong = append(wrong, o.validateMigrations()...)
	wrong = append(wrong, o.validatePolicies()...)
	files := map[string]string{}
	if o.CertProvider == certFiles {
		files["--cert-name"], files["--key-name"] = o.CertName, o.KeyName
	}
	if o.ClientCA != "" {
		files["--client-ca"] = o.ClientCA
	}
	for flag, name := range files {
		if !filepath.IsLocal(name) {
			deny("%s %q: not the name of a file in --cert-dir", flag, name)
			continue
		}
		if _, err := os.Stat(filepath.Join(o.CertDir, name)); err != nil {
			deny("%s: %w; name the folder of the certificate with --cert-dir", flag, err)
		}
	}
	if _, ok := tlsVersions()[o.TLSMinVersion]; !ok {
		deny("--tls-min-version %q: neither 1.2 nor 1.3", o.TLSMinVersion)
	}
	for flag, address := range map[string]string{
		"--metrics-address": o.MetricsAddress, "--health-address": o.HealthAddress, "--profiling-address": o.ProfilingAddress,
	} {
		if _, _, err := net.SplitHostPort(address); err != nil && address != "0" {
			deny("%s %q: neither host:port nor 0", flag, address)
		}
	}
	for _, namespace := range o.WatchNamespaces {
		if problems := validation.IsDNS1123Label(namespace); len(problems) > 0 {
			deny("--watch-namespaces %q: no namespace's name: %s", namespace, problems[0])
		}
	}
	if !slices.Contains([]string{"debug", "info", "error"}, o.LogLevel) {
		deny("--log-level %q: neither debug, info nor error", o.LogLevel)
	}
	if o.ShutdownTimeout <= 0 {
		deny("--shutdown-timeout %v: not longer than nothing", o.ShutdownTimeout)
	}
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(wrong...)
}

// leads names the flag for which one replica has to lead, "" where none has.
func (o *Options) leads() string {
	switch {
	case o.Migrations:
		return "--migrations"
	case o.Policies:
		return "--policies"
	}
	return ""
}

func tlsVersions() map[string]uint16 {
	return map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
}

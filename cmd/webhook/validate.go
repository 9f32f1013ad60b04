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

	"k8s.io/apimachinery/pkg/util/validation"
)

// minLifetime is the minimum validity of a certificate: each step of a rotation needs some seconds.
const minLifetime = 30 * time.Second

// problems collects errors. Each begins with the flag to change.
type problems []error

func (p *problems) add(format string, args ...any) {
	*p = append(*p, fmt.Errorf(format, args...))
}

// addInvalid adds a problem if a check of package validation found any.
func (p *problems) addInvalid(flag, value, what string, found []string) {
	if len(found) > 0 {
		p.add("%s %q: invalid %s: %s", flag, value, what, found[0])
	}
}

// Validate returns all mistakes in the options, sorted and one per line. Each begins with its flag.
func (o *Options) Validate() error {
	found := slices.Concat(o.validateServing(), o.validateFiles(), o.validateCertificate(), o.validateMigrations(),
		o.validatePolicies())
	slices.SortFunc(found, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(found...)
}

func (o *Options) validateServing() problems {
	var found problems
	if o.Port < 1 || o.Port > 65535 {
		found.add("--port %d: must be from 1 to 65535", o.Port)
	}
	if o.AdmissionTimeout < time.Second || o.AdmissionTimeout > 30*time.Second {
		found.add("--admission-timeout %v: must be from 1s to 30s", o.AdmissionTimeout)
	}
	if o.MaxConnections < 1 {
		found.add("--max-connections %d: must be at least 1", o.MaxConnections)
	}
	if o.Kubeconfig != "" {
		if _, err := os.Stat(o.Kubeconfig); err != nil {
			found.add("--kubeconfig: %w", err)
		}
	}
	if _, ok := tlsVersions()[o.TLSMinVersion]; !ok {
		found.add("--tls-min-version %q: must be 1.2 or 1.3", o.TLSMinVersion)
	}
	for flag, address := range map[string]string{
		"--metrics-address": o.MetricsAddress, "--health-address": o.HealthAddress, "--profiling-address": o.ProfilingAddress,
	} {
		if _, _, err := net.SplitHostPort(address); err != nil && address != "0" {
			found.add("%s %q: must be host:port, or 0 to disable it", flag, address)
		}
	}
	for _, namespace := range o.WatchNamespaces {
		found.addInvalid("--watch-namespaces", namespace, "namespace", validation.IsDNS1123Label(namespace))
	}
	if _, err := o.scope(); err != nil {
		found.add("--namespace-selector: %w", err)
	}
	if o.NamespaceSelector != "" && len(o.WatchNamespaces) > 0 {
		found.add("--namespace-selector: cannot be used with --watch-namespaces, which lists the namespaces; " +
			"remove one of the flags")
	}
	if !slices.Contains([]string{"debug", "info", "error"}, o.LogLevel) {
		found.add("--log-level %q: must be debug, info or error", o.LogLevel)
	}
	if o.ShutdownTimeout <= 0 {
		found.add("--shutdown-timeout %v: must be greater than 0", o.ShutdownTimeout)
	}
	return found
}

// validateFiles checks the files in --cert-dir.
func (o *Options) validateFiles() problems {
	var found problems
	files := map[string]string{}
	if o.CertProvider == providerFiles {
		files["--cert-name"], files["--key-name"] = o.CertName, o.KeyName
	}
	if o.ClientCA != "" {
		files["--client-ca"] = o.ClientCA
	}
	for flag, name := range files {
		if !filepath.IsLocal(name) {
			found.add("%s %q: must be the name of a file in --cert-dir", flag, name)
			continue
		}
		if _, err := os.Stat(filepath.Join(o.CertDir, name)); err != nil {
			found.add("%s: %w; set --cert-dir to the folder that contains this file", flag, err)
		}
	}
	return found
}

// validateCertificate checks the options of the providers "self" and "cert-manager", and the namespace.
func (o *Options) validateCertificate() problems {
	var found problems
	switch o.CertProvider {
	case providerSelf, providerCertManager:
	case providerFiles:
		if flag := o.needsLeader(); flag != "" {
			if invalid := validation.IsDNS1123Label(o.Namespace); len(invalid) > 0 {
				found.add("--namespace %q: invalid namespace, and %s stores its Lease there: %s", o.Namespace, flag, invalid[0])
			}
		}
		return found
	default:
		found.add("--cert-provider %q: must be %s, %s or %s", o.CertProvider, providerSelf, providerCertManager,
			providerFiles)
		return found
	}
	if _, err := parseIssuer(o.CertIssuer); err != nil {
		found.add("%w", err)
	}
	for flag, name := range map[string]string{
		"--namespace": o.Namespace, "--cert-secret": o.CertSecret, "--cert-service": o.CertService,
		"--webhook-configuration": o.WebhookConfiguration,
	} {
		found.addInvalid(flag, name, "name", validation.IsDNS1123Subdomain(name))
	}
	for _, name := range o.CertNames {
		found.addInvalid("--cert-names", name, "DNS name", validation.IsDNS1123Subdomain(name))
	}
	if o.CertLifetime < minLifetime {
		found.add("--cert-lifetime %v: must be at least %v", o.CertLifetime, minLifetime)
	}
	if o.CALifetime < o.CertLifetime {
		found.add("--ca-lifetime %v: must be at least --cert-lifetime (%v)", o.CALifetime, o.CertLifetime)
	}
	return found
}

func (o *Options) validateMigrations() problems {
	if !o.Migrations {
		return nil
	}
	var found problems
	for flag, value := range map[string]time.Duration{
		"--migration-timeout": o.MigrationTimeout, "--migration-deadline": o.MigrationDeadline,
		"--job-retention": o.JobRetention,
	} {
		if value < time.Second {
			found.add("%s %v: must be at least 1s", flag, value)
		}
	}
	if o.MigrationDeadline < o.MigrationTimeout {
		found.add("--migration-deadline %v: must be at least --migration-timeout (%v)", o.MigrationDeadline,
			o.MigrationTimeout)
	}
	if o.FinishDelay < 0 {
		found.add("--finish-delay %v: must be at least 0s", o.FinishDelay)
	}
	if o.MigrationHistory < 0 {
		found.add("--migration-history %d: must be at least 0", o.MigrationHistory)
	}
	for name, value := range o.JobLabels {
		invalid := append(validation.IsQualifiedName(name), validation.IsValidLabelValue(value)...)
		found.addInvalid("--job-labels", name+"="+value, "label", invalid)
	}
	for name := range o.JobAnnotations {
		found.addInvalid("--job-annotations", name, "annotation name", validation.IsQualifiedName(name))
	}
	return found
}

func (o *Options) validatePolicies() problems {
	if !o.Policies {
		return nil
	}
	var found problems
	if len(o.WatchNamespaces) > 0 {
		found.add("--policies: cannot be used with --watch-namespaces, because policies apply to the whole cluster; " +
			"remove one of the flags")
	}
	if o.CopyRetention < time.Second {
		found.add("--copy-retention %v: must be at least 1s", o.CopyRetention)
	}
	return found
}

func tlsVersions() map[string]uint16 {
	return map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
}

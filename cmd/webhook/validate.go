package main

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"kongdao.io/kongdao/pkg/process"
)

// minLifetime is the minimum validity of a certificate: each step of a rotation needs some seconds.
const minLifetime = 30 * time.Second

// Validate returns all mistakes in the options, sorted and one per line. Each begins with its flag.
func (o *Options) Validate() error {
	return process.Join(o.Options.Validate(), o.validateServing(), o.validateFiles(), o.validateCertificate())
}

func (o *Options) validateServing() process.Problems {
	var found process.Problems
	if o.Port < 1 || o.Port > 65535 {
		found.Add("--port %d: must be from 1 to 65535", o.Port)
	}
	if o.AdmissionTimeout < time.Second || o.AdmissionTimeout > 30*time.Second {
		found.Add("--admission-timeout %v: must be from 1s to 30s", o.AdmissionTimeout)
	}
	if o.MaxConnections < 1 {
		found.Add("--max-connections %d: must be at least 1", o.MaxConnections)
	}
	if _, ok := tlsVersions()[o.TLSMinVersion]; !ok {
		found.Add("--tls-min-version %q: must be 1.2 or 1.3", o.TLSMinVersion)
	}
	if o.ShutdownTimeout <= 0 {
		found.Add("--shutdown-timeout %v: must be greater than 0", o.ShutdownTimeout)
	}
	return found
}

// validateFiles checks the files in --cert-dir.
func (o *Options) validateFiles() process.Problems {
	var found process.Problems
	files := map[string]string{}
	if o.CertProvider == providerFiles {
		files["--cert-name"], files["--key-name"] = o.CertName, o.KeyName
	}
	if o.ClientCA != "" {
		files["--client-ca"] = o.ClientCA
	}
	for flag, name := range files {
		if !filepath.IsLocal(name) {
			found.Add("%s %q: must be the name of a file in --cert-dir", flag, name)
			continue
		}
		if _, err := os.Stat(filepath.Join(o.CertDir, name)); err != nil {
			found.Add("%s: %w; set --cert-dir to the folder that contains this file", flag, err)
		}
	}
	return found
}

// validateCertificate checks the options of the providers "self" and "cert-manager".
func (o *Options) validateCertificate() process.Problems {
	var found process.Problems
	switch o.CertProvider {
	case providerSelf, providerCertManager:
	case providerFiles:
		return found
	default:
		found.Add("--cert-provider %q: must be %s, %s or %s", o.CertProvider, providerSelf, providerCertManager,
			providerFiles)
		return found
	}
	if _, err := parseIssuer(o.CertIssuer); err != nil {
		found.Add("%w", err)
	}
	for flag, name := range map[string]string{
		"--namespace": o.Namespace, "--cert-secret": o.CertSecret, "--cert-service": o.CertService,
		"--webhook-configuration": o.WebhookConfiguration,
	} {
		found.AddInvalid(flag, name, "name", validation.IsDNS1123Subdomain(name))
	}
	for _, name := range o.CertNames {
		found.AddInvalid("--cert-names", name, "DNS name", validation.IsDNS1123Subdomain(name))
	}
	if o.CertLifetime < minLifetime {
		found.Add("--cert-lifetime %v: must be at least %v", o.CertLifetime, minLifetime)
	}
	if o.CALifetime < o.CertLifetime {
		found.Add("--ca-lifetime %v: must be at least --cert-lifetime (%v)", o.CALifetime, o.CertLifetime)
	}
	return found
}

func tlsVersions() map[string]uint16 {
	return map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}
}

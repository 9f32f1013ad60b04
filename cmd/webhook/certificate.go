package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/certs"
	"kongdao.io/kongdao/pkg/policycontroller"
)

// The values of --cert-provider.
const (
	certFiles   = "files"
	certSelf    = "self"
	certManager = "cert-manager"
)

// shortest is how short a lifetime may be: a rotation needs some seconds for each step.
const shortest = 30 * time.Second

// validateCertificate says what is wrong with the options of the certificate.
func (o *Options) validateCertificate() []error {
	if o.CertProvider == certFiles {
		return nil
	}
	var wrong []error
	deny := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if o.CertProvider != certSelf && o.CertProvider != certManager {
		deny("--cert-provider %q: neither %s, %s nor %s", o.CertProvider, certSelf, certManager, certFiles)
		return wrong
	}
	if _, err := parseIssuer(o.CertIssuer); err != nil {
		wrong = append(wrong, err)
	}
	for flag, name := range map[string]string{
		"--namespace": o.Namespace, "--cert-secret": o.CertSecret, "--cert-service": o.CertService, "--webhook-configuration": o.WebhookConfiguration,
	} {
		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
			deny("%s %q: no name of an object: %s", flag, name, problems[0])
		}
	}
	for _, name := range o.CertNames {
		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
			deny("--cert-names %q: no DNS name: %s", name, problems[0])
		}
	}
	if o.CertLifetime < shortest {
		deny("--cert-lifetime %v: shorter than %v", o.CertLifetime, shortest)
	}
	if o.CALifetime < o.CertLifetime {
		deny("--ca-lifetime %v: shorter than --cert-lifetime, which is %v", o.CALifetime, o.CertLifetime)
	}
	return wrong
}

// parseIssuer reads KIND/NAME; nothing is the zero value.
func parseIssuer(text string) (certs.IssuerRef, error) {
	kind, name, _ := strings.Cut(text, "/")
	known := kind == certmanagerv1.IssuerKind || kind == certmanagerv1.ClusterIssuerKind
	if text != "" && (!known || len(validation.IsDNS1123Subdomain(name)) > 0) {
		return certs.IssuerRef{}, fmt.Errorf("--cert-issuer %q: not of the form Issuer/NAME or ClusterIssuer/NAME", text)
	}
	return certs.IssuerRef{Kind: kind, Name: name}, nil
}

// newProvider makes what gives the webhook its certificate.
func newProvider(options Options) (certs.Provider, error) {
	if options.CertProvider == certFiles {
		return certs.NewFileProvider(
			filepath.Join(options.CertDir, options.CertName), filepath.Join(options.CertDir, options.KeyName))
	}
	certMetrics, err := certs.NewMetrics(metrics.Registry)
	if err != nil {
		return nil, err
	}
	service := options.CertService + "." + options.Namespace + ".svc"
	config := certs.Config{
		Settings: certs.Settings{
			DNSNames:   slices.Concat([]string{service, service + ".cluster.local"}, options.CertNames),
			CALifetime: options.CALifetime, Lifetime: options.CertLifetime,
		},
		Secret:                 client.ObjectKey{Namespace: options.Namespace, Name: options.CertSecret},
		WebhookConfiguration:   options.WebhookConfiguration,
		OptionalConfigurations: furtherConfigurations(options),
		Now:                    time.Now,
		Log:                    ctrl.Log.WithName("certificate"),
		Metrics:                certMetrics,
	}
	if options.CertProvider == certSelf {
		return certs.NewSelfSignedProvider(config), nil
	}
	issuer, err := parseIssuer(options.CertIssuer)
	if err != nil {
		return nil, err
	}
	return certs.NewCertManagerProvider(config, issuer), nil
}

// furtherConfigurations are those that call the webhook while there are policies.
func furtherConfigurations(options Options) []string {
	if !options.Policies {
		return nil
	}
	return []string{options.WebhookConfiguration + policycontroller.ConfigurationSuffix}
}

// watched is what the cache may hold for the certificate alone: the one Secret.
func watched(options Options) map[client.Object]cache.ByObject {
	if options.CertProvider == certFiles {
		return nil
	}
	return map[client.Object]cache.ByObject{
		&corev1.Secret{}: {Namespaces: map[string]cache.Config{options.Namespace: {FieldSelector: named(options.CertSecret)}}},
	}
}

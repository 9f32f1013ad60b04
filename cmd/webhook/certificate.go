package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/certs"
	"kongdao.io/kongdao/pkg/policy"
)

// The values of --cert-provider.
const (
	providerFiles       = "files"
	providerSelf        = "self"
	providerCertManager = "cert-manager"
)

// parseIssuer parses KIND/NAME. An empty text gives the zero value.
func parseIssuer(text string) (certs.IssuerRef, error) {
	kind, name, _ := strings.Cut(text, "/")
	isKnown := kind == certmanagerv1.IssuerKind || kind == certmanagerv1.ClusterIssuerKind
	if text != "" && (!isKnown || len(validation.IsDNS1123Subdomain(name)) > 0) {
		return certs.IssuerRef{}, fmt.Errorf("--cert-issuer %q: must have the form Issuer/NAME or ClusterIssuer/NAME", text)
	}
	return certs.IssuerRef{Kind: kind, Name: name}, nil
}

// newProvider returns the provider of the serving certificate.
func newProvider(options Options) (certs.Provider, error) {
	if options.CertProvider == providerFiles {
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
		WebhookConfiguration:   certs.ConfigurationRef{Name: options.WebhookConfiguration},
		OptionalConfigurations: optionalConfigurations(options),
		Now:                    time.Now,
		Log:                    ctrl.Log.WithName("certificate"),
		Metrics:                certMetrics,
	}
	if options.CertProvider == providerSelf {
		return certs.NewSelfSignedProvider(config), nil
	}
	issuer, err := parseIssuer(options.CertIssuer)
	if err != nil {
		return nil, err
	}
	return certs.NewCertManagerProvider(config, issuer), nil
}

// optionalConfigurations returns the webhook configurations that the webhook does not wait for: the validating one, and
// the one for policies.
func optionalConfigurations(options Options) []certs.ConfigurationRef {
	refs := []certs.ConfigurationRef{{Name: options.WebhookConfiguration, Validating: true}}
	if options.Policies {
		refs = append(refs, certs.ConfigurationRef{Name: options.WebhookConfiguration + policy.ConfigurationSuffix})
	}
	return refs
}

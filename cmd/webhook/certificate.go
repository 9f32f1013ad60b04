package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"kongdao.io/kongdao/pkg/certs"
)

// The values of --cert-provider.
const (
	certFiles = "files"
	certSelf  = "self"
)

// shortest is how short a lifetime may be: a rotation needs some seconds for each step.
const shortest = 30 * time.Second

// validateCertificate says what is wrong with the options of the certificate.
func (o *Options) validateCertificate() []error {
	if o.CertProvider == certFiles {
		return nil
	}
	var wrong []error
	refuse := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if o.CertProvider != certSelf {
		refuse("--cert-provider %q: neither %s nor %s", o.CertProvider, certFiles, certSelf)
		return wrong
	}
	for flag, name := range map[string]string{
		"--namespace": o.Namespace, "--cert-secret": o.CertSecret, "--cert-service": o.CertService, "--webhook-configuration": o.WebhookConfiguration,
	} {
		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
			refuse("%s %q: no name of an object: %s", flag, name, problems[0])
		}
	}
	for _, name := range o.CertNames {
		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
			refuse("--cert-names %q: no DNS name: %s", name, problems[0])
		}
	}
	if o.CertLifetime < shortest {
		refuse("--cert-lifetime %v: shorter than %v", o.CertLifetime, shortest)
	}
	if o.CALifetime < o.CertLifetime {
		refuse("--ca-lifetime %v: shorter than --cert-lifetime, which is %v", o.CALifetime, o.CertLifetime)
	}
	return wrong
}

// newProvider makes what gives the webhook its certificate.
func newProvider(options Options) (certs.Provider, error) {
	if options.CertProvider == certFiles {
		return certs.NewFiles(filepath.Join(options.CertDir, options.CertName), filepath.Join(options.CertDir, options.KeyName))
	}
	counted, err := certs.NewMetrics(metrics.Registry)
	if err != nil {
		return nil, err
	}
	service := options.CertService + "." + options.Namespace + ".svc"
	return &certs.Self{
		Settings: certs.Settings{
			Names:      slices.Concat([]string{service, service + ".cluster.local"}, options.CertNames),
			CALifetime: options.CALifetime, Lifetime: options.CertLifetime,
		},
		Secret:        client.ObjectKey{Namespace: options.Namespace, Name: options.CertSecret},
		Configuration: options.WebhookConfiguration,
		Now:           time.Now,
		Log:           ctrl.Log.WithName("certificate"),
		Metrics:       counted,
	}, nil
}

// watched is what the cache may hold for the certificate: the one Secret and
// the one configuration. It must not ask for more, for the webhook has no right to more.
func watched(options Options) map[client.Object]cache.ByObject {
	if options.CertProvider == certFiles {
		return nil
	}
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	return map[client.Object]cache.ByObject{
		&corev1.Secret{}: {Namespaces: map[string]cache.Config{options.Namespace: {FieldSelector: named(options.CertSecret)}}},
		&admissionregistrationv1.MutatingWebhookConfiguration{}: {Field: named(options.WebhookConfiguration)},
	}
}

package certs

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	applyv1 "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldOwner owns the caBundles, and nothing else, of the configuration:
// whoever applies the rest of it has no conflict with us.
const fieldOwner = client.FieldOwner("kongdao-certificates")

// publisher keeps the CA bundle of a MutatingWebhookConfiguration right.
type publisher struct {
	// name is the configuration's.
	name string
	// live reads without a cache; client writes.
	live   client.Reader
	client client.Client

	// ca is what was last seen in every bundle, and since when.
	ca    *x509.Certificate
	since time.Time
}

// read yields the configuration as it is now, nil where there is none.
func (p *publisher) read(ctx context.Context) (*admissionregistrationv1.MutatingWebhookConfiguration, error) {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	switch err := p.live.Get(ctx, client.ObjectKey{Name: p.name}, configuration); {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // there may be none: it is installed, and removed, by somebody else
	case err != nil:
		return nil, fmt.Errorf("read MutatingWebhookConfiguration %q: %w", p.name, err)
	}
	return configuration, nil
}

// publishedFor is how long a CA has been in all bundles of the configuration,
// as far as this process has seen. A new process waits anew, which is safe.
func (p *publisher) publishedFor(configuration *admissionregistrationv1.MutatingWebhookConfiguration, ca *x509.Certificate, now time.Time) time.Duration {
	if ca == nil || configuration == nil || len(configuration.Webhooks) == 0 {
		return 0
	}
	for _, webhook := range configuration.Webhooks {
		trusted, err := parseCertificates(webhook.ClientConfig.CABundle)
		if err != nil || !slices.ContainsFunc(trusted, ca.Equal) {
			p.ca = nil
			return 0
		}
	}
	if !ca.Equal(p.ca) {
		p.ca, p.since = ca, now
	}
	return now.Sub(p.since)
}

// publish makes bundle that of all webhooks of the configuration, and reports
// whether it was another. The configuration's version goes along: where somebody
// else has changed it since it was read the API server says so, and nobody's
// newer bundle is overwritten by an older one. The Secret must be read after it.
func (p *publisher) publish(ctx context.Context, configuration *admissionregistrationv1.MutatingWebhookConfiguration, bundle []byte) (bool, error) {
	apply := applyv1.MutatingWebhookConfiguration(p.name).WithResourceVersion(configuration.ResourceVersion)
	changed := false
	for _, webhook := range configuration.Webhooks {
		changed = changed || !bytes.Equal(webhook.ClientConfig.CABundle, bundle)
		apply.WithWebhooks(applyv1.MutatingWebhook().WithName(webhook.Name).
			WithClientConfig(applyv1.WebhookClientConfig().WithCABundle(bundle...)))
	}
	if !changed {
		return false, nil
	}
	if err := p.client.Apply(ctx, apply, fieldOwner, client.ForceOwnership); err != nil {
		return false, fmt.Errorf("write the caBundle of MutatingWebhookConfiguration %q: %w", p.name, err)
	}
	return true, nil
}

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

// configurations are MutatingWebhookConfigurations that call this webhook.
type configurations []*admissionregistrationv1.MutatingWebhookConfiguration

// webhooks are those of all of them.
func (c configurations) webhooks() []admissionregistrationv1.MutatingWebhook {
	var all []admissionregistrationv1.MutatingWebhook
	for _, configuration := range c {
		all = append(all, configuration.Webhooks...)
	}
	return all
}

// publisher keeps the CA bundles of MutatingWebhookConfigurations right.
type publisher struct {
	// names are the configurations'. The first has to be there, others may.
	names []string
	// live reads without a cache; client writes.
	live   client.Reader
	client client.Client

	// ca is what was last seen in every bundle, and since when.
	ca    *x509.Certificate
	since time.Time
}

// read yields the configurations as they are now, none where the first is not
// there: it is installed, and removed, by somebody else.
func (p *publisher) read(ctx context.Context) (configurations, error) {
	var found configurations
	for i, name := range p.names {
		configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
		switch err := p.live.Get(ctx, client.ObjectKey{Name: name}, configuration); {
		case apierrors.IsNotFound(err) && i == 0:
			return nil, nil
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return nil, fmt.Errorf("read MutatingWebhookConfiguration %q: %w", name, err)
		}
		found = append(found, configuration)
	}
	return found, nil
}

// publishedFor is how long a CA has been in all bundles of the configurations,
// as far as this process has seen. A new process waits anew, which is safe.
func (p *publisher) publishedFor(configurations configurations, ca *x509.Certificate, now time.Time) time.Duration {
	webhooks := configurations.webhooks()
	if ca == nil || len(webhooks) == 0 {
		return 0
	}
	for _, webhook := range webhooks {
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

// publish makes bundle that of all webhooks of a configuration, and reports
// whether it was another. The configuration's version goes along: where somebody
// else has changed it since it was read the API server says so, and nobody's
// newer bundle is overwritten by an older one. The Secret must be read after it.
func (p *publisher) publish(ctx context.Context, configuration *admissionregistrationv1.MutatingWebhookConfiguration, bundle []byte) (bool, error) {
	apply := applyv1.MutatingWebhookConfiguration(configuration.Name).WithResourceVersion(configuration.ResourceVersion)
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
		return false, fmt.Errorf("write the caBundle of MutatingWebhookConfiguration %q: %w", configuration.Name, err)
	}
	return true, nil
}

package certs

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fieldOwner owns only the caBundles of a configuration, so there is no conflict with the owner of the other fields.
const fieldOwner = client.FieldOwner("kongdao-certificates")

// trustedCAs returns the given CAs, and the unexpired CAs of the current bundles that belong to the webhook. Replicas
// may still serve a certificate of one of these.
func trustedCAs(
	configurations webhookConfigurations, authorities []*x509.Certificate, isOwn func(*x509.Certificate) bool,
	now time.Time,
) []*x509.Certificate {
	trusted := slices.Clone(authorities)
	for _, webhook := range configurations.webhooks() {
		bundle, _ := parseBundle(webhook.caBundle) // an invalid part of a bundle has nothing to keep
		for _, ca := range bundle {
			if isOwn(ca) && ca.IsCA && now.Before(ca.NotAfter) && !slices.ContainsFunc(trusted, ca.Equal) {
				trusted = append(trusted, ca)
			}
		}
	}
	return trusted
}

// bundlePublisher writes CA bundles into webhook configurations. It is not safe for concurrent use.
type bundlePublisher struct {
	// required is the configuration that must exist. Those in optional are updated if they exist.
	required ConfigurationRef
	optional []ConfigurationRef
	// reader reads without a cache.
	reader client.Reader
	client client.Client

	// publishedCA is the CA that was in all bundles at the last check, and publishedSince when this was first seen.
	publishedCA    *x509.Certificate
	publishedSince time.Time
}

// read returns the existing configurations. It returns none if the required one does not exist.
func (p *bundlePublisher) read(ctx context.Context) (webhookConfigurations, error) {
	var configurations webhookConfigurations
	for _, ref := range append([]ConfigurationRef{p.required}, p.optional...) {
		configuration, err := readConfiguration(ctx, p.reader, ref)
		switch {
		case apierrors.IsNotFound(err) && ref == p.required:
			return nil, nil
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", ref, err)
		}
		configurations = append(configurations, configuration)
	}
	return configurations, nil
}

// publishedFor returns how long this process has seen a CA in all bundles. After a restart it starts again at zero. The
// result is then too short, which is safe.
func (p *bundlePublisher) publishedFor(
	configurations webhookConfigurations, ca *x509.Certificate, now time.Time,
) time.Duration {
	webhooks := configurations.webhooks()
	if ca == nil || len(webhooks) == 0 {
		return 0
	}
	for _, webhook := range webhooks {
		bundle, err := parseBundle(webhook.caBundle)
		if err != nil || !slices.ContainsFunc(bundle, ca.Equal) {
			p.publishedCA = nil
			return 0
		}
	}
	if !ca.Equal(p.publishedCA) {
		p.publishedCA, p.publishedSince = ca, now
	}
	return now.Sub(p.publishedSince)
}

// publish writes the bundle into all webhooks of a configuration, and reports whether this changed the configuration.
//
// The write fails with a conflict if the configuration has changed since it was read. If the bundle comes from a Secret
// that was read after the configuration, it therefore never replaces a newer bundle.
func (p *bundlePublisher) publish(
	ctx context.Context, configuration webhookConfiguration, bundle []byte,
) (bool, error) {
	changed := slices.ContainsFunc(configuration.webhooks, func(webhook calledWebhook) bool {
		return !bytes.Equal(webhook.caBundle, bundle)
	})
	if !changed {
		return false, nil
	}
	if err := p.client.Apply(ctx, configuration.withBundle(bundle), fieldOwner, client.ForceOwnership); err != nil {
		return false, fmt.Errorf("write the caBundle of %s: %w", configuration.ref, err)
	}
	return true, nil
}

package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	applyv1 "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ConfigurationRef names a MutatingWebhookConfiguration or a ValidatingWebhookConfiguration.
type ConfigurationRef struct {
	Name string
	// Validating is true for a ValidatingWebhookConfiguration.
	Validating bool
}

// String names the configuration in a message.
func (r ConfigurationRef) String() string {
	if r.Validating {
		return fmt.Sprintf("ValidatingWebhookConfiguration %q", r.Name)
	}
	return fmt.Sprintf("MutatingWebhookConfiguration %q", r.Name)
}

// webhookConfiguration is what the certificate depends on in a configuration that calls this webhook.
type webhookConfiguration struct {
	ref             ConfigurationRef
	resourceVersion string
	webhooks        []calledWebhook
}

// calledWebhook is an entry of a configuration.
type calledWebhook struct {
	name     string
	caBundle []byte
}

// readConfiguration reads a configuration. The error is that of the reader, with its type.
func readConfiguration(
	ctx context.Context, reader client.Reader, ref ConfigurationRef,
) (webhookConfiguration, error) {
	read := webhookConfiguration{ref: ref}
	key := client.ObjectKey{Name: ref.Name}
	if ref.Validating {
		var configuration admissionregistrationv1.ValidatingWebhookConfiguration
		err := reader.Get(ctx, key, &configuration)
		read.resourceVersion = configuration.ResourceVersion
		for _, webhook := range configuration.Webhooks {
			read.webhooks = append(read.webhooks, calledWebhook{webhook.Name, webhook.ClientConfig.CABundle})
		}
		return read, err
	}
	var configuration admissionregistrationv1.MutatingWebhookConfiguration
	err := reader.Get(ctx, key, &configuration)
	read.resourceVersion = configuration.ResourceVersion
	for _, webhook := range configuration.Webhooks {
		read.webhooks = append(read.webhooks, calledWebhook{webhook.Name, webhook.ClientConfig.CABundle})
	}
	return read, err
}

// withBundle returns the patch that sets the bundle of all webhooks. It fails if the configuration has changed since it
// was read.
func (c webhookConfiguration) withBundle(bundle []byte) runtime.ApplyConfiguration {
	clientConfig := func() *applyv1.WebhookClientConfigApplyConfiguration {
		return applyv1.WebhookClientConfig().WithCABundle(bundle...)
	}
	if c.ref.Validating {
		patch := applyv1.ValidatingWebhookConfiguration(c.ref.Name).WithResourceVersion(c.resourceVersion)
		for _, webhook := range c.webhooks {
			patch.WithWebhooks(applyv1.ValidatingWebhook().WithName(webhook.name).WithClientConfig(clientConfig()))
		}
		return patch
	}
	patch := applyv1.MutatingWebhookConfiguration(c.ref.Name).WithResourceVersion(c.resourceVersion)
	for _, webhook := range c.webhooks {
		patch.WithWebhooks(applyv1.MutatingWebhook().WithName(webhook.name).WithClientConfig(clientConfig()))
	}
	return patch
}

// webhookConfigurations are the configurations that call this webhook.
type webhookConfigurations []webhookConfiguration

// webhooks returns the webhooks of all configurations.
func (c webhookConfigurations) webhooks() []calledWebhook {
	var all []calledWebhook
	for _, configuration := range c {
		all = append(all, configuration.webhooks...)
	}
	return all
}

// trust reports whether every webhook trusts a certificate for all of its names.
func (c webhookConfigurations) trust(certificate *tls.Certificate, names []string, now time.Time) bool {
	settings := Settings{DNSNames: names}
	for _, webhook := range c.webhooks() {
		bundle, _ := parseBundle(webhook.caBundle) // an invalid part of a bundle trusts nothing
		if settings.checkUsable(certificate, bundle, now) != nil {
			return false
		}
	}
	return true
}

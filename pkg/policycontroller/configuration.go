package policycontroller

import (
	"context"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The names of the webhook that is copied, and of the one that is made.
const (
	podsWebhook   = "pods.kongdao.io"
	policyWebhook = "policies.kongdao.io"
)

// ConfigurationSuffix is behind the name of the installation's
// MutatingWebhookConfiguration in the name of the one for policies. The
// installation has both, the latter without a webhook: the right to make
// configurations, which no name could limit, is not needed, and this one goes
// when policies are turned off.
const ConfigurationSuffix = "-policies"

// asksForNothing and looksLikeKong see to it that no other pod ever waits: those
// that ask come by the other webhook, and of the rest only what may be Kong is
// looked at. What is Kong is decided later, and precisely; this is never less.
const (
	asksForNothing = `!('kongdao.io/plugins' in object.metadata.?annotations.orValue({}))`
	looksLikeKong  = `(object.spec.containers + object.spec.?initContainers.orValue([])).exists(c, ` +
		`c.?image.orValue('').matches('(^|/)kong(-gateway)?([:@].*)?$') || ` +
		`c.?env.orValue([]).exists(e, e.name.startsWith('KONG_')))`
	// A Job of ours has what it migrates for, and no policy of today's.
	migratesForUs = `'kongdao.io/step' in object.metadata.?labels.orValue({}) && ` +
		`object.metadata.?ownerReferences.orValue([]).exists(o, o.kind == 'Job')`
)

// configure sees to it that API servers ask about pods which ask for nothing
// while a policy gives them something, and at no other time: a cluster without
// policies pays nothing.
func (c *Controller) configure(ctx context.Context, wanted bool) error {
	name := c.Configuration + ConfigurationSuffix
	now := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := c.Live.Get(ctx, client.ObjectKey{Name: name}, now); err != nil {
		if apierrors.IsNotFound(err) && !wanted {
			return nil // kongdao is being removed
		}
		return asInstallationError(fmt.Errorf("read MutatingWebhookConfiguration %q, which is a part of kongdao's installation: %w", name, err))
	}
	var webhooks []admissionregistrationv1.MutatingWebhook
	if wanted {
		webhook, err := c.webhook(ctx)
		if err != nil {
			return err
		}
		webhooks = []admissionregistrationv1.MutatingWebhook{*webhook}
		// The caBundle is pkg/certs' to keep, where it keeps that of the other one.
		if c.KeepsBundle && len(now.Webhooks) == 1 && len(now.Webhooks[0].ClientConfig.CABundle) > 0 {
			webhooks[0].ClientConfig.CABundle = now.Webhooks[0].ClientConfig.CABundle
		}
	}
	if equality.Semantic.DeepEqual(now.Webhooks, webhooks) {
		return nil
	}
	c.Log.Info("change whether API servers ask about pods that look like Kong and ask for nothing", "configuration", name, "ask", wanted)
	now.Webhooks = webhooks
	if err := c.Client.Update(ctx, now); err != nil {
		return fmt.Errorf("write MutatingWebhookConfiguration %q: %w", name, err)
	}
	return nil
}

// webhook is made of the installation's own: it is called in the same way, for
// the same namespaces.
func (c *Controller) webhook(ctx context.Context) (*admissionregistrationv1.MutatingWebhook, error) {
	main := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := c.Client.Get(ctx, client.ObjectKey{Name: c.Configuration}, main); err != nil {
		return nil, asInstallationError(fmt.Errorf("read MutatingWebhookConfiguration %q: %w", c.Configuration, err))
	}
	at := slices.IndexFunc(main.Webhooks, func(one admissionregistrationv1.MutatingWebhook) bool { return one.Name == podsWebhook })
	if at < 0 {
		return nil, installationError{fmt.Errorf("MutatingWebhookConfiguration %q has no webhook %q; install kongdao again", c.Configuration, podsWebhook)}
	}
	webhook := main.Webhooks[at].DeepCopy()
	webhook.Name = policyWebhook
	webhook.MatchConditions = []admissionregistrationv1.MatchCondition{
		{Name: "asks-for-nothing", Expression: asksForNothing},
		{Name: "looks-like-kong", Expression: looksLikeKong},
		{Name: "is-not-kongdaos-own", Expression: "!(" + migratesForUs + ")"},
	}
	return webhook, nil
}

// installationError means that an object of kongdao's installation is missing or incomplete. Retries do not help.
type installationError struct{ error }

func (e installationError) Unwrap() error { return e.error }

// asInstallationError marks an error if the API server does not have the object.
func asInstallationError(err error) error {
	if apierrors.IsNotFound(err) {
		return installationError{err}
	}
	return err
}

package controller

import (
	"bytes"
	"context"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The names of the webhook that is copied, and of the one that is made.
const (
	podsWebhook   = "pods.kongdao.io"
	policyWebhook = "policies.kongdao.io"
)

// ConfigurationSuffix is behind the name of the installation's
// MutatingWebhookConfiguration in the name of the one for policies.
const ConfigurationSuffix = "-policies"

// asksForNothing and looksLikeKong see to it that no other pod ever waits: those
// that ask come by the other webhook, and of the rest only what may be Kong is
// looked at. What is Kong is decided later, and precisely; this is never less.
const (
	asksForNothing = `!('kongdao.io/plugins' in object.metadata.?annotations.orValue({}))`
	looksLikeKong  = `(object.spec.containers + object.spec.?initContainers.orValue([])).exists(c, ` +
		`c.?image.orValue('').matches('(^|/)kong(-gateway)?([:@].*)?$') || ` +
		`c.?env.orValue([]).exists(e, e.name.startsWith('KONG_')))`
)

// configure sees to it that API servers ask about pods which ask for nothing
// while a policy gives them something, and at no other time: a cluster without
// policies pays nothing.
func (c *Controller) configure(ctx context.Context, wanted bool) error {
	main := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := c.Client.Get(ctx, client.ObjectKey{Name: c.Configuration}, main); apierrors.IsNotFound(err) {
		return nil // what is made of it goes with it
	} else if err != nil {
		return fmt.Errorf("read MutatingWebhookConfiguration %q: %w", c.Configuration, err)
	}
	name := c.Configuration + ConfigurationSuffix
	made := &admissionregistrationv1.MutatingWebhookConfiguration{}
	err := c.Live.Get(ctx, client.ObjectKey{Name: name}, made)
	there := err == nil
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read MutatingWebhookConfiguration %q: %w", name, err)
	}
	switch {
	case !wanted && !there:
		return nil
	case !wanted:
		c.Log.Info("no policy gives pods anything: API servers ask about those that ask no more", "configuration", name)
		return client.IgnoreNotFound(c.Client.Delete(ctx, made))
	}
	desired := policyConfiguration(main, name)
	if desired == nil {
		return fmt.Errorf("MutatingWebhookConfiguration %q has no webhook %q to make that for policies of; install the whole of kongdao", c.Configuration, podsWebhook)
	}
	if !there {
		c.Log.Info("a policy gives pods something: API servers ask about all that look like Kong", "configuration", name)
		if err := c.Client.Create(ctx, desired); client.IgnoreAlreadyExists(err) != nil {
			return fmt.Errorf("make MutatingWebhookConfiguration %q: %w", name, err)
		}
		return nil
	}
	return c.mend(ctx, made, desired)
}

// mend sets right what somebody has changed. The caBundle is pkg/certs' to keep,
// where it keeps that of the other configuration.
func (c *Controller) mend(ctx context.Context, made, desired *admissionregistrationv1.MutatingWebhookConfiguration) error {
	if len(made.Webhooks) == 1 && !bytes.Equal(made.Webhooks[0].ClientConfig.CABundle, desired.Webhooks[0].ClientConfig.CABundle) && c.KeepsBundle {
		desired.Webhooks[0].ClientConfig.CABundle = made.Webhooks[0].ClientConfig.CABundle
	}
	if equality.Semantic.DeepEqual(made.Webhooks, desired.Webhooks) && equality.Semantic.DeepEqual(made.OwnerReferences, desired.OwnerReferences) {
		return nil
	}
	desired.ResourceVersion = made.ResourceVersion
	if err := c.Client.Update(ctx, desired); err != nil {
		return fmt.Errorf("write MutatingWebhookConfiguration %q: %w", desired.Name, err)
	}
	return nil
}

// policyConfiguration is made of the installation's own: it is called in the
// same way, for the same namespaces, and goes with it.
func policyConfiguration(main *admissionregistrationv1.MutatingWebhookConfiguration, name string) *admissionregistrationv1.MutatingWebhookConfiguration {
	for i := range main.Webhooks {
		if main.Webhooks[i].Name != podsWebhook {
			continue
		}
		webhook := *main.Webhooks[i].DeepCopy()
		webhook.Name = policyWebhook
		webhook.MatchConditions = []admissionregistrationv1.MatchCondition{
			{Name: "asks-for-nothing", Expression: asksForNothing},
			{Name: "looks-like-kong", Expression: looksLikeKong},
		}
		return &admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{
				Name: name, Labels: main.Labels,
				OwnerReferences: []metav1.OwnerReference{{
					APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "MutatingWebhookConfiguration", Name: main.Name, UID: main.UID,
				}},
			},
			Webhooks: []admissionregistrationv1.MutatingWebhook{webhook},
		}
	}
	return nil
}

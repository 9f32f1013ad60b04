package policycontroller

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/policy"
)

const (
	// podsWebhook is the name of the installation's webhook for pods.
	podsWebhook = "pods.kongdao.io"
	// policiesWebhook is the name of the webhook for policies.
	policiesWebhook = "policies.kongdao.io"
)

// The match conditions let only pods that run Kong wait for the webhook. Pods that request plugins call the
// installation's webhook instead.
const (
	requestsNoPlugins = `!('kongdao.io/plugins' in object.metadata.?annotations.orValue({}))`
	// runsKong matches the same pods as mutate.IsKong: a container has Kong's image, or two of Kong's own settings.
	// Ingress controllers and operators do not count. A regular expression for the settings would cost ten times as much
	// as the tests below, and a pod with many variables would exceed the budget of the API server.
	runsKong = `(object.spec.containers + object.spec.?initContainers.orValue([])).exists(c, ` +
		`c.?image.orValue('').matches('(^|/)kong(-gateway)?([:@][^/]*)?$') || ` +
		`!c.?image.orValue('').matches('(^|/)((nightly-|kong-|kubernetes-)ingress-controller|` +
		`gateway-operator(-oss)?|kong-operator)([:@][^/]*)?$') && ` +
		`!c.?env.orValue([]).exists(e, e.name.startsWith('CONTROLLER_')) && ` +
		`c.?env.orValue([]).filter(e, e.name.startsWith('KONG_') && (e.name.startsWith('KONG_PG_') || ` +
		`e.name.startsWith('KONG_NGINX_') || e.name in ['KONG_DATABASE', 'KONG_ROLE', 'KONG_PLUGINS', ` +
		`'KONG_LUA_PACKAGE_PATH', 'KONG_PROXY_LISTEN', 'KONG_ADMIN_LISTEN', 'KONG_STATUS_LISTEN', 'KONG_PREFIX', ` +
		`'KONG_DECLARATIVE_CONFIG', 'KONG_LOG_LEVEL'])).size() >= 2)`
	// isMigrationJob matches the pods of kongdao's Jobs, which have the plugins that they migrate for.
	isMigrationJob = `'kongdao.io/step' in object.metadata.?labels.orValue({}) && ` +
		`object.metadata.?ownerReferences.orValue([]).exists(o, o.kind == 'Job')`
)

// webhookConfiguration is the MutatingWebhookConfiguration for policies.
type webhookConfiguration struct {
	client client.Client
	live   client.Reader
	// installed is the name of the installation's MutatingWebhookConfiguration.
	installed    string
	keepCABundle bool
	log          logr.Logger
}

func (c *Controller) webhook() webhookConfiguration {
	return webhookConfiguration{c.Client, c.Live, c.WebhookConfiguration, c.KeepCABundle, c.Log}
}

// ensure adds the webhook to the configuration if a policy needs it, and removes it otherwise. So a cluster without
// policies that give plugins has no additional calls.
func (w webhookConfiguration) ensure(ctx context.Context, needed bool) error {
	name := w.installed + policy.ConfigurationSuffix
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := w.live.Get(ctx, client.ObjectKey{Name: name}, configuration); err != nil {
		if apierrors.IsNotFound(err) && !needed {
			return nil // kongdao is being removed
		}
		return asInstallationError(fmt.Errorf("read MutatingWebhookConfiguration %q: %w", name, err))
	}
	var webhooks []admissionregistrationv1.MutatingWebhook
	if needed {
		webhook, err := w.build(ctx)
		if err != nil {
			return err
		}
		if w.keepCABundle && len(configuration.Webhooks) == 1 && len(configuration.Webhooks[0].ClientConfig.CABundle) > 0 {
			webhook.ClientConfig.CABundle = configuration.Webhooks[0].ClientConfig.CABundle
		}
		webhooks = []admissionregistrationv1.MutatingWebhook{*webhook}
	}
	if equality.Semantic.DeepEqual(configuration.Webhooks, webhooks) {
		return nil
	}
	w.log.Info("Changing whether API servers call kongdao for Kong pods without an annotation",
		"configuration", name, "call", needed)
	configuration.Webhooks = webhooks
	if err := w.client.Update(ctx, configuration); err != nil {
		return fmt.Errorf("write MutatingWebhookConfiguration %q: %w", name, err)
	}
	return nil
}

// build returns the webhook for policies. It is a copy of the installation's webhook for pods with other match
// conditions, so that API servers call it in the same way and for the same namespaces.
func (w webhookConfiguration) build(ctx context.Context) (*admissionregistrationv1.MutatingWebhook, error) {
	installed := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := w.client.Get(ctx, client.ObjectKey{Name: w.installed}, installed); err != nil {
		return nil, asInstallationError(fmt.Errorf("read MutatingWebhookConfiguration %q: %w", w.installed, err))
	}
	i := slices.IndexFunc(installed.Webhooks, func(webhook admissionregistrationv1.MutatingWebhook) bool {
		return webhook.Name == podsWebhook
	})
	if i < 0 {
		return nil, installationError{fmt.Errorf("MutatingWebhookConfiguration %q has no webhook %q; install kongdao again",
			w.installed, podsWebhook)}
	}
	webhook := installed.Webhooks[i].DeepCopy()
	webhook.Name = policiesWebhook
	webhook.MatchConditions = []admissionregistrationv1.MatchCondition{
		{Name: "requests-no-plugins", Expression: requestsNoPlugins},
		{Name: "runs-kong", Expression: runsKong},
		{Name: "is-no-migration-job", Expression: "!(" + isMigrationJob + ")"},
	}
	return webhook, nil
}

// installationError means that an object of kongdao's installation is missing or incomplete. Retries do not help.
type installationError struct{ error }

func (e installationError) Unwrap() error { return e.error }

// asInstallationError marks an error if the object does not exist, and says what to do.
func asInstallationError(err error) error {
	if apierrors.IsNotFound(err) {
		return installationError{fmt.Errorf("%w; install kongdao again", err)}
	}
	return err
}

package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Config configures a provider that stores its certificate in a Secret.
type Config struct {
	Settings
	// Secret is where the serving certificate is stored.
	Secret client.ObjectKey
	// WebhookConfiguration is the configuration that calls the webhook. The provider becomes ready when it has published
	// its CA there.
	WebhookConfiguration ConfigurationRef
	// OptionalConfigurations are further configurations that call the webhook. They may not exist yet.
	OptionalConfigurations []ConfigurationRef
	// Now returns the current time.
	Now     func() time.Time
	Log     logr.Logger
	Metrics *Metrics
}

// secretProvider is what the providers have in common that store their certificate in a Secret. It serves the
// certificate and publishes the CA bundle.
type secretProvider struct {
	Config
	certificateHolder
	client client.Client
	// apiReader reads without a cache.
	apiReader client.Reader
	bundles   bundlePublisher
	// notReady is the reason why the webhook is not ready, or nil. Once ready, the provider stays ready.
	notReady atomic.Pointer[string]
}

// resyncInterval is the longest time between two reconciliations. Timers do not notice when the system clock is set, so
// a certificate could otherwise expire unnoticed.
const resyncInterval = time.Minute

// minRequeueDelay requeues immediately. A delay of zero would mean not to requeue at all.
const minRequeueDelay = time.Millisecond

// syncFunc does what is necessary at the time now. It returns when to call it next.
type syncFunc func(ctx context.Context, configurations webhookConfigurations, now time.Time) (next time.Time, err error)

func newSecretProvider(config Config) *secretProvider {
	provider := &secretProvider{Config: config}
	provider.notReady.Store(new("not started yet"))
	return provider
}

// setUp makes the manager call sync at the start, and when the Secret or a webhook configuration changes.
func (p *secretProvider) setUp(manager manager.Manager, sync syncFunc) error {
	p.client, p.apiReader = manager.GetClient(), manager.GetAPIReader()
	p.bundles = bundlePublisher{
		required: p.WebhookConfiguration, optional: p.OptionalConfigurations,
		reader: p.apiReader, client: p.client,
	}
	p.setNotReady("Secret %q has not been read yet", p.Secret)
	return watch(manager, reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
		return p.reconcile(ctx, sync)
	}))
}

// Ready implements Provider.
func (p *secretProvider) Ready() error {
	if reason := p.notReady.Load(); reason != nil {
		return errors.New(*reason)
	}
	return nil
}

// setNotReady sets the reason why the webhook is not ready. It does nothing once the webhook has been ready.
func (p *secretProvider) setNotReady(format string, args ...any) {
	before := p.notReady.Load()
	if before == nil {
		return
	}
	reason := fmt.Sprintf(format, args...)
	p.notReady.Store(&reason)
	if *before != reason {
		p.Log.Info("not ready", "reason", reason)
	}
}

func (p *secretProvider) reconcile(ctx context.Context, sync syncFunc) (reconcile.Result, error) {
	// The configurations must be read before the Secret: see bundlePublisher.publish.
	configurations, err := p.bundles.read(ctx)
	now := p.Now()
	var next time.Time
	if err == nil {
		next, err = sync(ctx, configurations, now)
	}
	switch {
	case apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err):
		p.Log.V(1).Info("another replica was faster; trying again", "reason", err.Error())
		return reconcile.Result{RequeueAfter: minRequeueDelay}, nil
	case err != nil:
		p.setNotReady("%v", err)
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: max(minRequeueDelay, min(next.Sub(now), resyncInterval))}, nil
}

// publishAndServe publishes the CAs and then serves the certificate. If the CAs cannot be published, it serves the
// certificate only if the current bundles already trust it. The webhook is ready when this has succeeded once.
func (p *secretProvider) publishAndServe(
	ctx context.Context, configurations webhookConfigurations, trustedCAs []*x509.Certificate,
	certificate *tls.Certificate, now time.Time,
) error {
	err := p.publishBundle(ctx, configurations, trustedCAs)
	if err == nil || configurations.trust(certificate, p.DNSNames, now) {
		p.serve(certificate)
	}
	if err == nil && len(configurations) > 0 {
		p.notReady.Store(nil)
	}
	return err
}

// publishBundle writes the CAs into the configurations.
func (p *secretProvider) publishBundle(
	ctx context.Context, configurations webhookConfigurations, trustedCAs []*x509.Certificate,
) error {
	if len(configurations) == 0 {
		p.setNotReady("%s does not exist; install all manifests of kongdao", p.WebhookConfiguration)
		return nil
	}
	for _, configuration := range configurations {
		changed, err := p.bundles.publish(ctx, configuration, encodeBundle(trustedCAs))
		if err != nil {
			return err
		}
		if changed {
			p.Log.Info("published the CA bundle", "configuration", configuration.ref.String(), "CAs", len(trustedCAs))
		}
	}
	return nil
}

// readSecret reads the Secret without a cache. If it does not exist, the result has no resource version.
func (p *secretProvider) readSecret(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	switch err := p.apiReader.Get(ctx, p.Secret, secret); {
	case apierrors.IsNotFound(err):
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: p.Secret.Namespace, Name: p.Secret.Name},
			Type:       corev1.SecretTypeTLS,
		}, nil
	case err != nil:
		return nil, fmt.Errorf("read Secret %q: %w", p.Secret, err)
	}
	return secret, nil
}

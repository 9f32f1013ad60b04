package certs

import (
	"context"
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

// Base is what those providers share that serve what a Secret holds and keep
// the caBundle right.
type Base struct {
	Keeper
	// Secret is where the serving certificate is.
	Secret client.ObjectKey
	// Configuration is the name of the MutatingWebhookConfiguration, and Further
	// those of others that may be there and call the same webhook.
	Configuration string
	Further       []string
	// Now is the clock.
	Now     func() time.Time
	Log     logr.Logger
	Metrics *Metrics

	client    client.Client
	live      client.Reader
	publisher publisher
	// unready says why nothing is served yet; nil once something was.
	unready atomic.Pointer[string]
}

// lookAgain is how long nothing is looked at, at most: a timer does not notice
// when the clock is set.
const lookAgain = time.Minute

// step does what there is to do now, and says when there will be more.
type step func(ctx context.Context, configurations configurations, now time.Time) (next time.Time, err error)

// setUp has the manager take the step at the start and whenever the Secret or
// the configuration changes.
func (b *Base) setUp(manager manager.Manager, next step) error {
	b.client, b.live = manager.GetClient(), manager.GetAPIReader()
	b.publisher = publisher{names: append([]string{b.Configuration}, b.Further...), live: b.live, client: b.client}
	b.wait("the Secret %q is not read yet", b.Secret)
	return watch(manager, reconcile.Func(func(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
		return b.reconcile(ctx, next)
	}), &corev1.Secret{})
}

// Ready says why nothing is served yet.
func (b *Base) Ready() error {
	if why := b.unready.Load(); why != nil {
		return errors.New(*why)
	}
	return nil
}

// wait says what is missing until something is served for the first time.
func (b *Base) wait(format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	if before := b.unready.Swap(&why); before == nil || *before != why {
		b.Log.Info("not ready", "why", why)
	}
}

func (b *Base) starting() bool { return b.unready.Load() != nil }

func (b *Base) reconcile(ctx context.Context, take step) (reconcile.Result, error) {
	// The configurations are read before the Secret: see publish.
	configurations, err := b.publisher.read(ctx)
	now := b.Now()
	var next time.Time
	if err == nil {
		next, err = take(ctx, configurations, now)
	}
	switch {
	case apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err):
		b.Log.V(1).Info("another replica was first", "why", err.Error())
		return reconcile.Result{RequeueAfter: time.Millisecond}, nil
	case err != nil:
		if b.starting() {
			b.wait("%v", err)
		}
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: max(time.Millisecond, min(next.Sub(now), lookAgain))}, nil
}

// publish brings the CAs into the configurations. Once they are there for the
// first time the webhook is ready.
func (b *Base) publish(ctx context.Context, configurations configurations, trusted []*x509.Certificate) error {
	if len(configurations) == 0 {
		if b.starting() {
			b.wait("there is no MutatingWebhookConfiguration %q to put the CA into; install the whole of kongdao", b.Configuration)
		}
		return nil
	}
	for _, configuration := range configurations {
		changed, err := b.publisher.publish(ctx, configuration, encodeBundle(trusted))
		if err != nil {
			return err
		}
		if changed {
			b.Log.Info("published the CA bundle", "configuration", configuration.Name, "CAs", len(trusted))
		}
	}
	b.unready.Store(nil)
	return nil
}

// read yields a Secret as it is now; one without a version where there is none.
func (b *Base) read(ctx context.Context, key client.ObjectKey) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	switch err := b.live.Get(ctx, key, secret); {
	case apierrors.IsNotFound(err):
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
			Type:       corev1.SecretTypeTLS,
		}, nil
	case err != nil:
		return nil, fmt.Errorf("read Secret %q: %w", key, err)
	}
	return secret, nil
}

package certs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"kongdao.io/kongdao/pkg/annotations"
)

// Self makes the CA and the certificate itself and keeps both in a Secret that
// all replicas share. Each replica may do each step: what it writes goes along
// with the version of what it read, so of two that do one step the second is
// told, and finds that nothing is left to do.
type Self struct {
	Keeper
	Settings
	// Secret is where the material is kept.
	Secret client.ObjectKey
	// Configuration is the name of the MutatingWebhookConfiguration.
	Configuration string
	// Now is the clock.
	Now     func() time.Time
	Log     logr.Logger
	Metrics *Metrics

	client    client.Client
	live      client.Reader
	publisher Publisher
	// kept is what this process last saw whole. Where the Secret is deleted or
	// broken it is put back, for it is what replicas serve and bundles hold.
	kept Material
	// unready says why nothing is served yet; nil once there was.
	unready atomic.Pointer[string]
}

// lookAgain is how long nothing is looked at, at most: a timer does not notice
// when the clock is set.
const lookAgain = time.Minute

// SetUp registers the controller.
func (s *Self) SetUp(manager manager.Manager) error {
	s.client, s.live = manager.GetClient(), manager.GetAPIReader()
	s.publisher = Publisher{Name: s.Configuration, Live: s.live, Client: s.client}
	s.wait("the Secret %q is not read yet", s.Secret)
	return watch(manager, s, &corev1.Secret{})
}

// Ready says why nothing is served yet.
func (s *Self) Ready() error {
	if why := s.unready.Load(); why != nil {
		return errors.New(*why)
	}
	return nil
}

func (s *Self) wait(format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	s.unready.Store(&why)
}

// Reconcile does the next step and says when there will be another.
func (s *Self) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	result, err := s.reconcile(ctx)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		s.Log.V(1).Info("another replica was first", "why", err.Error())
		return reconcile.Result{RequeueAfter: time.Millisecond}, nil
	}
	if err != nil && s.unready.Load() != nil {
		s.wait("%v", err)
	}
	return result, err
}

func (s *Self) reconcile(ctx context.Context) (reconcile.Result, error) {
	// The configuration first and the Secret after it: see publish.
	configuration, err := s.publisher.read(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	secret, err := s.read(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	now := s.Now()
	material := s.materialOf(secret)
	published := s.publisher.publishedFor(configuration, material.signer(), now)
	_, rotate := secret.Annotations[annotations.Rotate]
	step, err := s.Plan(material, published, rotate, now)
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := s.write(ctx, secret, step); err != nil {
		return reconcile.Result{}, err
	}
	s.kept = step.Material
	s.Serve(step.Material.Serving)
	s.Metrics.show(step.Material.signer(), step.Material.Serving.Leaf)
	later := reconcile.Result{RequeueAfter: max(time.Millisecond, min(step.Next.Sub(now), lookAgain))}
	if configuration == nil {
		if s.unready.Load() != nil {
			s.wait("there is no MutatingWebhookConfiguration %q to put the CA into; install the whole of kongdao", s.Configuration)
		}
		return later, nil
	}
	changed, err := s.publisher.publish(ctx, configuration, step.Material.Bundle())
	if err != nil {
		return reconcile.Result{}, err
	}
	if changed {
		s.Log.Info("published the CA bundle", "configuration", s.Configuration, "CAs", len(step.Material.Trusted))
	}
	s.unready.Store(nil)
	return later, nil
}

// read yields the Secret as it is now; one without a version where there is none.
func (s *Self) read(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	switch err := s.live.Get(ctx, s.Secret, secret); {
	case apierrors.IsNotFound(err):
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.Secret.Namespace, Name: s.Secret.Name},
			Type:       corev1.SecretTypeTLS,
		}, nil
	case err != nil:
		return nil, fmt.Errorf("read Secret %q: %w", s.Secret, err)
	}
	return secret, nil
}

// materialOf yields what a Secret holds; what this process knows, where the
// Secret is gone or broken.
func (s *Self) materialOf(secret *corev1.Secret) Material {
	material, wrong := ParseSecret(secret.Data)
	whole := len(wrong) == 0 && material.signer() != nil && material.Serving != nil
	for _, problem := range wrong {
		s.Log.Info("the Secret is broken and is mended", "secret", s.Secret.String(), "why", problem.Error())
	}
	if !whole && s.kept.Serving != nil {
		return s.kept
	}
	return material
}

// write brings the Secret to what a step says, and logs what is new.
func (s *Self) write(ctx context.Context, secret *corev1.Secret, step Step) error {
	data, err := step.Material.Data()
	if err != nil {
		return err
	}
	_, rotate := secret.Annotations[annotations.Rotate]
	if sameData(data, secret.Data) && !rotate {
		return nil
	}
	secret.Data = data
	delete(secret.Annotations, annotations.Rotate)
	if secret.ResourceVersion == "" {
		err = s.client.Create(ctx, secret)
	} else {
		err = s.client.Update(ctx, secret)
	}
	if err != nil {
		return fmt.Errorf("write Secret %q: %w", s.Secret, err)
	}
	what := "put back what it held"
	if len(step.Changes) > 0 {
		what = strings.Join(step.Changes, "; ")
	}
	s.Log.Info("wrote the Secret", "secret", s.Secret.String(), "what", what)
	return nil
}

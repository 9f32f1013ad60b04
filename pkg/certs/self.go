package certs

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"kongdao.io/kongdao/pkg/annotations"
)

// Self makes the CA and the certificate itself and keeps both in a Secret that
// all replicas share. Each replica may do each step: what it writes goes along
// with the version of what it read, so of two that do one step the second is
// told, and finds that nothing is left to do.
type Self struct {
	*Base
	Settings
	// kept is what this process last saw whole. Where the Secret is deleted or
	// broken it is put back, for it is what replicas serve and bundles hold.
	kept Material
}

// SetUp registers the controller.
func (s *Self) SetUp(manager manager.Manager) error { return s.setUp(manager, s.step) }

func (s *Self) step(ctx context.Context, configurations configurations, now time.Time) (time.Time, error) {
	secret, err := s.read(ctx, s.Secret)
	if err != nil {
		return time.Time{}, err
	}
	material := s.materialOf(secret)
	published := s.publisher.publishedFor(configurations, material.signer(), now)
	_, rotate := secret.Annotations[annotations.Rotate]
	planned, err := s.Plan(material, published, rotate, now)
	if err != nil {
		return time.Time{}, err
	}
	if err := s.write(ctx, secret, planned); err != nil {
		return time.Time{}, err
	}
	s.kept = planned.Material
	s.Serve(s.kept.Serving)
	s.Metrics.show(s.kept.signer(), s.kept.Serving.Leaf)
	return planned.Next, s.publish(ctx, configurations, s.kept.Trusted)
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
func (s *Self) write(ctx context.Context, secret *corev1.Secret, planned Step) error {
	data, err := planned.Material.Data()
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
	if len(planned.Changes) > 0 {
		what = strings.Join(planned.Changes, "; ")
	}
	s.Log.Info("wrote the Secret", "secret", s.Secret.String(), "what", what)
	return nil
}

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

// selfSignedProvider creates the CA and the serving certificate, and stores both in a Secret that all replicas share.
// Any replica may do any step of a rotation. Each write names the resource version that was read. So if two replicas do
// the same step, the second write fails with a conflict. Its replica then reads the Secret again and has nothing to do.
type selfSignedProvider struct {
	*secretProvider
	// lastKnown are the last complete key pairs. If the Secret is deleted, damaged or replaced by an older one, the
	// provider restores them, because replicas serve them and bundles contain their CA.
	lastKnown keyPairs
}

// NewSelfSignedProvider returns a provider that signs its certificate with its own CA.
func NewSelfSignedProvider(config Config) Provider {
	return &selfSignedProvider{secretProvider: newSecretProvider(config)}
}

// SetUp implements Provider.
func (p *selfSignedProvider) SetUp(manager manager.Manager) error { return p.setUp(manager, p.sync) }

func (p *selfSignedProvider) sync(
	ctx context.Context, configurations webhookConfigurations, now time.Time,
) (time.Time, error) {
	secret, err := p.readSecret(ctx)
	if err != nil {
		return time.Time{}, err
	}
	current := p.currentKeyPairs(secret, now)
	published := p.bundles.publishedFor(configurations, current.signingCA(), now)
	_, rotate := secret.Annotations[annotations.Rotate]
	plan, err := p.planRotation(current, published, rotate, now)
	if err != nil {
		return time.Time{}, err
	}
	if err := p.updateSecret(ctx, secret, plan); err != nil {
		return time.Time{}, err
	}
	p.lastKnown = plan.keyPairs
	trusted := plan.keyPairs.trustedCAs
	if published < p.overlap() || !plan.keyPairs.signingCA().Equal(current.signingCA()) {
		trusted = trustedCAs(configurations, trusted, isOwnCA, now)
	}
	if err := p.publishAndServe(ctx, configurations, trusted, plan.keyPairs.serving, now); err != nil {
		return time.Time{}, err
	}
	p.Metrics.setExpiry(plan.keyPairs.signingCA(), plan.keyPairs.serving.Leaf)
	return plan.next, nil
}

// currentKeyPairs returns the contents of the Secret. If the Secret is incomplete or was replaced by an older one, it
// returns the last known key pairs.
func (p *selfSignedProvider) currentKeyPairs(secret *corev1.Secret, now time.Time) keyPairs {
	pairs, problems := parseSecret(secret.Data)
	for _, problem := range problems {
		p.Log.Info("repairing the invalid Secret", "secret", p.Secret.String(), "reason", problem.Error())
	}
	complete := len(problems) == 0 && pairs.signingCA() != nil && pairs.serving != nil
	if !complete && p.lastKnown.serving != nil {
		return p.lastKnown
	}
	if complete && p.isOlder(pairs, now) {
		p.Log.Info("restoring the Secret, because its CA is older than the CA in use", "secret", p.Secret.String())
		return p.lastKnown
	}
	return pairs
}

// isOlder reports whether key pairs are older than the last known ones, and the last known ones can still be served.
func (p *selfSignedProvider) isOlder(pairs keyPairs, now time.Time) bool {
	known := p.lastKnown.signingCA()
	return known != nil && pairs.signingCA().NotBefore.Before(known.NotBefore) &&
		p.checkUsable(p.lastKnown.serving, p.lastKnown.trustedCAs, now) == nil
}

// updateSecret writes the planned key pairs into the Secret if it differs, and removes the request to rotate.
func (p *selfSignedProvider) updateSecret(ctx context.Context, secret *corev1.Secret, plan rotationPlan) error {
	data, err := plan.keyPairs.secretData()
	if err != nil {
		return err
	}
	_, rotate := secret.Annotations[annotations.Rotate]
	if equalData(data, secret.Data) && !rotate {
		return nil
	}
	secret.Data = data
	delete(secret.Annotations, annotations.Rotate)
	if secret.ResourceVersion == "" {
		err = p.client.Create(ctx, secret)
	} else {
		err = p.client.Update(ctx, secret)
	}
	if err != nil {
		return fmt.Errorf("write Secret %q: %w", p.Secret, err)
	}
	changes := "restored the previous contents"
	if len(plan.changes) > 0 {
		changes = strings.Join(plan.changes, "; ")
	}
	p.Log.Info("wrote the Secret", "secret", p.Secret.String(), "changes", changes)
	return nil
}

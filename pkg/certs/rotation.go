package certs

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"kongdao.io/kongdao/pkg/annotations"
)

// rotationPlan is the result of planRotation.
type rotationPlan struct {
	// keyPairs is what the Secret should hold now.
	keyPairs keyPairs
	// changes describe the differences to the current key pairs, for the log.
	changes []string
	// next is when to plan again. It is always in the future.
	next time.Time
}

// planRotation plans what the Secret should hold at the time now.
//
// published is how long the signing CA has been in the bundles of all webhook configurations. It is zero if the CA is
// not in all of them, or if the time is unknown. rotate requests a new CA before the current one needs renewal.
func (s Settings) planRotation(
	current keyPairs, published time.Duration, rotate bool, now time.Time,
) (rotationPlan, error) {
	plan := rotationPlan{keyPairs: current}
	plan.removeExpiredCAs(now)
	if err := plan.ensureSigningCA(s, rotate, now); err != nil {
		return rotationPlan{}, err
	}
	signingCA := plan.keyPairs.signingCA()
	if !signingCA.Equal(current.signingCA()) {
		published = 0 // the time belongs to the previous signing CA
	}
	if err := plan.ensureServingCertificate(s, published, now); err != nil {
		return rotationPlan{}, err
	}
	plan.removeOlderCAs(s, now)
	plan.planAgainAt(renewalTime(signingCA))
	return plan, nil
}

// removeExpiredCAs removes expired CAs, and the private key if the signing CA is one of them.
func (p *rotationPlan) removeExpiredCAs(now time.Time) {
	expired := func(ca *x509.Certificate) bool { return !now.Before(ca.NotAfter) }
	before := p.keyPairs.trustedCAs
	signingCA := p.keyPairs.signingCA()
	p.keyPairs.trustedCAs = slices.DeleteFunc(slices.Clone(before), expired)
	removed := len(before) - len(p.keyPairs.trustedCAs)
	if removed == 0 {
		return
	}
	p.addChange("removed expired CAs (%d)", removed)
	if signingCA != nil && expired(signingCA) {
		p.keyPairs.caKey = nil
	}
}

// ensureSigningCA creates a CA if there is none, if it needs renewal, or if a rotation is requested.
func (p *rotationPlan) ensureSigningCA(s Settings, rotate bool, now time.Time) error {
	current := p.keyPairs.signingCA()
	switch {
	case current == nil:
		p.addChange("created a CA")
	case rotate:
		p.addChange("created a new CA because annotation %s requests it", annotations.Rotate)
	case !now.Before(renewalTime(current)):
		p.addChange("created a new CA because the previous one expires at %s", formatTime(current.NotAfter))
	default:
		return nil
	}
	ca, key, err := newCA(s.CALifetime, now)
	if err != nil {
		return err
	}
	p.keyPairs.trustedCAs = append(p.keyPairs.trustedCAs, ca)
	p.keyPairs.caKey = key
	return nil
}

// ensureServingCertificate creates a serving certificate if the current one is unusable or needs renewal. It also
// replaces a certificate of an older CA as soon as all API servers know the signing CA.
func (p *rotationPlan) ensureServingCertificate(s Settings, published time.Duration, now time.Time) error {
	signingCA, serving := p.keyPairs.signingCA(), p.keyPairs.serving
	unusable := s.checkUsable(serving, p.keyPairs.trustedCAs, now)
	bySigningCA := unusable == nil && serving.Leaf.CheckSignatureFrom(signingCA) == nil
	switch {
	case unusable != nil: // no API server accepts the current one, so there is no reason to wait
		p.addChange("created a serving certificate: %v", unusable)
	case bySigningCA && now.Before(renewalTime(serving.Leaf)):
		p.planAgainAt(renewalTime(serving.Leaf))
		return nil
	case bySigningCA:
		p.addChange("created a new serving certificate because the previous one expires at %s",
			formatTime(serving.Leaf.NotAfter))
	case published >= s.propagationDelay():
		p.addChange("created a serving certificate of the new CA, which has been published for %s",
			published.Round(time.Second))
	default:
		p.planAgainAt(now.Add(s.propagationDelay() - published))
		p.planAgainAt(serving.Leaf.NotAfter)
		return nil
	}
	created, err := newServingCertificate(s, now, signingCA, p.keyPairs.caKey)
	if err != nil {
		return err
	}
	p.keyPairs.serving = created
	p.planAgainAt(renewalTime(created.Leaf))
	return nil
}

// removeOlderCAs removes all CAs except the signing CA, once the overlap is over.
func (p *rotationPlan) removeOlderCAs(s Settings, now time.Time) {
	signingCA, serving := p.keyPairs.signingCA(), p.keyPairs.serving
	if len(p.keyPairs.trustedCAs) == 1 || serving.Leaf.CheckSignatureFrom(signingCA) != nil {
		return
	}
	if end := issuedAt(serving.Leaf).Add(s.overlap()); now.Before(end) {
		p.planAgainAt(end)
		return
	}
	p.addChange("removed older CAs (%d), because no replica serves their certificates", len(p.keyPairs.trustedCAs)-1)
	p.keyPairs.trustedCAs = []*x509.Certificate{signingCA}
}

func (p *rotationPlan) addChange(format string, args ...any) {
	p.changes = append(p.changes, fmt.Sprintf(format, args...))
}

// planAgainAt moves the next planning to an earlier time.
func (p *rotationPlan) planAgainAt(at time.Time) {
	if p.next.IsZero() || at.Before(p.next) {
		p.next = at
	}
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

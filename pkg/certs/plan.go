package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"kongdao.io/kongdao/pkg/annotations"
)

// Settings say what is made, and for how long.
type Settings struct {
	// Names are the DNS names that the API server calls the webhook by.
	Names []string
	// CALifetime and Lifetime are those of a CA and of what it signs. Either is
	// renewed when a third of it is left.
	CALifetime, Lifetime time.Duration
}

// settle is how long a CA has to be in the bundle before it signs what is
// served: API servers, of which there may be several, learn of a bundle by a
// watch.
func (s Settings) settle() time.Duration { return min(s.Lifetime/30, time.Minute) }

// overlap is how long the CA before it stays in the bundle after that: replicas
// learn of a certificate by a watch, and one may be cut off for a while.
func (s Settings) overlap() time.Duration { return min(s.Lifetime/10, time.Hour) }

// Step is what Plan comes to.
type Step struct {
	Material Material
	// Changes says in words what is new, nothing where nothing is.
	Changes []string
	// Next is when there will be something to do.
	Next time.Time
}

// Plan says what the Secret should hold at a time. published is how long the
// signer has been in the bundles of all webhook configurations, zero where it is
// not, or where it is not known. rotate asks for a new CA before its time.
func (s Settings) Plan(material Material, published time.Duration, rotate bool, now time.Time) (Step, error) {
	step := Step{Material: Material{
		Trusted:   slices.DeleteFunc(slices.Clone(material.Trusted), func(ca *x509.Certificate) bool { return !now.Before(ca.NotAfter) }),
		SignerKey: material.SignerKey, Serving: material.Serving,
	}}
	if dropped := len(material.Trusted) - len(step.Material.Trusted); dropped > 0 {
		step.say("dropped %d expired CAs", dropped)
		if signer := material.signer(); signer != nil && !now.Before(signer.NotAfter) {
			step.Material.SignerKey = nil
		}
	}
	if err := s.planSigner(&step, rotate, now); err != nil {
		return Step{}, err
	}
	signer := step.Material.signer()
	if !signer.Equal(material.signer()) {
		published = 0 // whatever was published is another
	}
	if err := s.planServing(&step, published, now); err != nil {
		return Step{}, err
	}
	s.planOldCAs(&step, now)
	step.wakeAt(renewal(signer))
	return step, nil
}

// planSigner sees to it that there is a CA that signs, with time left.
func (s Settings) planSigner(step *Step, rotate bool, now time.Time) error {
	signer := step.Material.signer()
	switch {
	case signer == nil:
		step.say("made a CA")
	case rotate:
		step.say("made a new CA, as annotation %s asks", annotations.Rotate)
	case !now.Before(renewal(signer)):
		step.say("made a new CA, for the old one ends at %s", signer.NotAfter.UTC().Format(time.RFC3339))
	default:
		return nil
	}
	authority, key, err := newAuthority(s.CALifetime, now)
	if err != nil {
		return err
	}
	step.Material.Trusted = append(step.Material.Trusted, authority)
	step.Material.SignerKey = key
	return nil
}

// planServing sees to it that what is served is trusted now, and signed by the
// signer as soon as everybody knows that.
func (s Settings) planServing(step *Step, published time.Duration, now time.Time) error {
	signer, serving := step.Material.signer(), step.Material.Serving
	broken := s.unusable(serving, step.Material.Trusted, now)
	bySigner := broken == nil && serving.Leaf.CheckSignatureFrom(signer) == nil
	switch {
	case broken != nil:
		step.say("made a serving certificate, for %v", broken) // nothing is lost by not waiting
	case bySigner && now.Before(renewal(serving.Leaf)):
		step.wakeAt(renewal(serving.Leaf))
		return nil
	case bySigner:
		step.say("made a new serving certificate, for the old one ends at %s", serving.Leaf.NotAfter.UTC().Format(time.RFC3339))
	case published >= s.settle():
		step.say("made a serving certificate of the new CA, which has been published for %s", published.Round(time.Second))
	default:
		step.wakeAt(now.Add(s.settle() - published))
		step.wakeAt(serving.Leaf.NotAfter)
		return nil
	}
	made, err := newServing(s.Names, s.Lifetime, now, signer, step.Material.SignerKey)
	if err != nil {
		return err
	}
	step.Material.Serving = made
	step.wakeAt(renewal(made.Leaf))
	return nil
}

// planOldCAs lets the CAs before the signer go when what it signed has been
// served for long enough.
func (s Settings) planOldCAs(step *Step, now time.Time) {
	signer, serving := step.Material.signer(), step.Material.Serving
	if len(step.Material.Trusted) == 1 || serving.Leaf.CheckSignatureFrom(signer) != nil {
		return
	}
	if until := issuedAt(serving.Leaf).Add(s.overlap()); now.Before(until) {
		step.wakeAt(until)
		return
	}
	step.say("dropped %d older CAs, for nothing that they signed is served any more", len(step.Material.Trusted)-1)
	step.Material.Trusted = []*x509.Certificate{signer}
}

// unusable says why a certificate cannot be served, nil where it can.
func (s Settings) unusable(serving *tls.Certificate, trusted []*x509.Certificate, now time.Time) error {
	if serving == nil || serving.Leaf == nil {
		return fmt.Errorf("there was none")
	}
	for _, name := range s.Names {
		if err := Verify(serving, trusted, name, now); err != nil {
			return fmt.Errorf("the old one could not be served: %w", err)
		}
	}
	return nil
}

// Verify says why an API server that trusts some CAs would deny a certificate
// of a server that it calls by a name.
func Verify(serving *tls.Certificate, trusted []*x509.Certificate, name string, now time.Time) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, ca := range trusted {
		roots.AddCert(ca)
	}
	for _, der := range serving.Certificate[1:] {
		if intermediate, err := x509.ParseCertificate(der); err == nil {
			intermediates.AddCert(intermediate)
		}
	}
	_, err := serving.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: intermediates, CurrentTime: now})
	return err
}

// renewal is when a third of a certificate's time is left.
func renewal(certificate *x509.Certificate) time.Time {
	return certificate.NotAfter.Add(-certificate.NotAfter.Sub(issuedAt(certificate)) / 3)
}

func (s *Step) say(format string, args ...any) {
	s.Changes = append(s.Changes, fmt.Sprintf(format, args...))
}

func (s *Step) wakeAt(at time.Time) {
	if s.Next.IsZero() || at.Before(s.Next) {
		s.Next = at
	}
}

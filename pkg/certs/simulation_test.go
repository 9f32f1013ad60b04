package certs

import (
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// simulation is a cluster in which API servers and replicas learn of changes with a random delay.
type simulation struct {
	t        *testing.T
	random   *rand.Rand
	settings Settings
	now      time.Time
	secret   keyPairs
	// bundle is the caBundle of the webhook configuration. signingCASince is when the signing CA joined the bundle.
	bundle         []*x509.Certificate
	signingCASince time.Time
	// apiServers have the bundle that each API server trusts, and replicas the Secret that each replica has read.
	apiServers [2][]*x509.Certificate
	replicas   [3]keyPairs
	// updated is when each of them last read the bundle or the Secret.
	apiServersUpdated [2]time.Time
	replicasUpdated   [3]time.Time
	log               []string
}

// maxSimulatedDelay is the longest time until a change is known. It is much shorter than the propagation delay.
const maxSimulatedDelay = 20 * time.Second

// reconcile does what a reconciliation of the self-signed provider does.
func (s *simulation) reconcile(rotate bool) {
	signingCA := s.secret.signingCA()
	published := time.Duration(0)
	if signingCA != nil && slices.ContainsFunc(s.bundle, signingCA.Equal) {
		published = s.now.Sub(s.signingCASince)
	}
	plan := plan(s.t, s.settings, s.secret, published, rotate, s.now)
	s.log = append(s.log, fmt.Sprintf("%v: %v", s.now.Sub(startTime), plan.changes))
	s.secret = plan.keyPairs
	if !slices.EqualFunc(s.bundle, s.secret.trustedCAs, (*x509.Certificate).Equal) {
		if !slices.ContainsFunc(s.bundle, s.secret.signingCA().Equal) {
			s.signingCASince = s.now
		}
		s.bundle = s.secret.trustedCAs
	}
}

// advance moves the time forward. API servers and replicas may learn of changes, and must after the longest delay.
func (s *simulation) advance(duration time.Duration) {
	s.now = s.now.Add(duration)
	for i := range s.apiServers {
		if s.random.IntN(3) == 0 || s.now.Sub(s.apiServersUpdated[i]) >= maxSimulatedDelay {
			s.apiServers[i], s.apiServersUpdated[i] = s.bundle, s.now
		}
	}
	for i := range s.replicas {
		if s.random.IntN(3) == 0 || s.now.Sub(s.replicasUpdated[i]) >= maxSimulatedDelay {
			s.replicas[i], s.replicasUpdated[i] = s.secret, s.now
		}
	}
}

// checkTrust fails the test if an API server would reject the certificate of a replica.
func (s *simulation) checkTrust() {
	for i, replica := range s.replicas {
		for j, trusted := range s.apiServers {
			if err := verify(replica.serving, trusted, testDNSName, s.now); err != nil {
				s.t.Fatalf("after %v API server %d rejects replica %d: %v\n%s",
					s.now.Sub(startTime), j, i, err, strings.Join(s.log, "\n"))
			}
		}
	}
}

// runHours reconciles once an hour.
func (s *simulation) runHours(hours int) {
	for range hours {
		s.advance(time.Hour)
		s.checkTrust()
		s.reconcile(false)
	}
}

// TestRotationsNeverBreakTrust proves that every API server always trusts the certificate of every replica. This holds
// for requested and for due rotations, in any order and at any time, although each process learns of changes late.
func TestRotationsNeverBreakTrust(t *testing.T) {
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // the seed makes a failure reproducible
		s := &simulation{t: t, random: random, settings: testSettings(), now: startTime}
		s.reconcile(false)
		for range 10 {
			s.advance(5 * time.Second)
		}
		signingCAs := map[string]bool{}
		for range 250 {
			switch s.random.IntN(20) {
			case 0:
				s.reconcile(true)
			case 1:
				s.runHours(s.random.IntN(20))
			default:
				s.reconcile(false)
			}
			s.advance(time.Duration(1+s.random.IntN(5)) * time.Second)
			s.checkTrust()
			signingCAs[string(s.secret.signingCA().Raw)] = true
		}
		if len(signingCAs) < 3 {
			t.Fatalf("seed %d had only %d CAs, want at least 3", seed, len(signingCAs))
		}
	}
}

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

const service = "kongdao-webhook.kongdao-system.svc"

// day is a time to begin at.
var day = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func settings() Settings {
	return Settings{Names: []string{service}, CALifetime: 300 * time.Hour, Lifetime: 100 * time.Hour}
}

func plan(t *testing.T, s Settings, material Material, published time.Duration, rotate bool, now time.Time) Step {
	t.Helper()
	step, err := s.Plan(material, published, rotate, now)
	if err != nil {
		t.Fatal(err)
	}
	if !step.Next.After(now) {
		t.Errorf("the next step is at %v, which is not after %v", step.Next, now)
	}
	return step
}

// TestPlanSteps proves what each situation comes to, and when the next step is.
func TestPlanSteps(t *testing.T) {
	s := settings()
	first := plan(t, s, Material{}, 0, false, day).Material
	rotated := plan(t, s, first, time.Hour, true, day.Add(time.Hour)).Material
	switched := plan(t, s, rotated, s.settle(), false, day.Add(2*time.Hour)).Material
	other := s
	other.Names = append(slices.Clone(s.Names), "other.example.com")
	without := func(material Material, change func(*Material)) Material {
		change(&material)
		return material
	}
	for name, test := range map[string]struct {
		reason    string
		settings  Settings
		material  Material
		published time.Duration
		rotate    bool
		after     time.Duration
		// changes are parts of what is said, in order; none for nothing to do.
		changes []string
		// next is how long after day the next step is.
		next   time.Duration
		bundle int
	}{
		"nothing yet":  {reason: "nobody serves anything, so nothing waits", changes: []string{"made a CA", "made a serving certificate, for there was none"}, next: 200 * time.Hour / 3, bundle: 1},
		"nothing new":  {material: first, published: time.Hour, after: time.Hour, next: 200 * time.Hour / 3, bundle: 1},
		"soon":         {reason: "a third is left", material: first, published: time.Hour, after: 67 * time.Hour, changes: []string{"made a new serving certificate, for the old one ends"}, next: 67*time.Hour + 200*time.Hour/3, bundle: 1},
		"soon, hidden": {reason: "what is served is of the same CA, so whoever trusts the one trusts the other", material: first, after: 67 * time.Hour, changes: []string{"made a new serving certificate"}, next: 67*time.Hour + 200*time.Hour/3, bundle: 1},
		"CA soon": {
			reason: "the new CA has to be known before it signs", material: without(first, func(m *Material) { m.Serving = plan(t, s, first, 0, false, day.Add(190*time.Hour)).Material.Serving }),
			published: time.Hour, after: 201 * time.Hour, changes: []string{"made a new CA, for the old one ends"}, next: 201*time.Hour + time.Minute, bundle: 2,
		},
		"asked for":           {material: first, published: time.Hour, rotate: true, after: time.Hour, changes: []string{"made a new CA, as annotation kongdao.io/rotate asks"}, next: time.Hour + time.Minute, bundle: 2},
		"not known":           {reason: "no API server may trust the new CA", material: rotated, after: 2 * time.Hour, next: 2*time.Hour + time.Minute, bundle: 2},
		"known since now":     {material: rotated, published: 20 * time.Second, after: 2 * time.Hour, next: 2*time.Hour + 40*time.Second, bundle: 2},
		"known":               {material: rotated, published: time.Minute, after: 2 * time.Hour, changes: []string{"made a serving certificate of the new CA"}, next: 3 * time.Hour, bundle: 2},
		"old one's last hour": {reason: "a replica may be cut off", material: switched, published: time.Hour, after: 3*time.Hour - time.Second, next: 3 * time.Hour, bundle: 2},
		"old one goes":        {material: switched, published: time.Hour, after: 3 * time.Hour, changes: []string{"dropped 1 older CAs"}, next: 2*time.Hour + 200*time.Hour/3, bundle: 1},
		"serving ended":       {reason: "an hour of clocks is granted to it and is over", material: first, published: time.Hour, after: 101 * time.Hour, changes: []string{"made a serving certificate, for the old one could not be served"}, next: 101*time.Hour + 200*time.Hour/3, bundle: 1},
		"all ended":           {reason: "as after a year of a cluster that was off", material: first, after: 5000 * time.Hour, changes: []string{"dropped 1 expired CAs", "made a CA", "made a serving certificate"}, next: 5000*time.Hour + 200*time.Hour/3, bundle: 1},
		"another name":        {reason: "the Service was renamed", settings: other, material: first, published: time.Hour, after: time.Hour, changes: []string{"for the old one could not be served"}, next: time.Hour + 200*time.Hour/3, bundle: 1},
		"key lost": {
			reason: "what is served is good, and stays until the new CA is known", material: without(first, func(m *Material) { m.SignerKey = nil }),
			after: time.Hour, changes: []string{"made a CA"}, next: time.Hour + time.Minute, bundle: 2,
		},
		"certificate lost": {material: without(first, func(m *Material) { m.Serving = nil }), published: time.Hour, after: time.Hour, changes: []string{"for there was none"}, next: time.Hour + 200*time.Hour/3, bundle: 1},
		"CA lost": {
			reason: "nobody can say who signed what is served", material: without(first, func(m *Material) { m.Trusted, m.SignerKey = nil, nil }),
			after: time.Hour, changes: []string{"made a CA", "for the old one could not be served"}, next: time.Hour + 200*time.Hour/3, bundle: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.settings.Names == nil {
				test.settings = s
			}
			now := day.Add(test.after)
			step := plan(t, test.settings, test.material, test.published, test.rotate, now)
			for i, said := range step.Changes {
				if i >= len(test.changes) || !strings.Contains(said, test.changes[i]) {
					t.Errorf("%s: change %d is %q", test.reason, i, said)
				}
			}
			if len(step.Changes) != len(test.changes) {
				t.Errorf("%s: changes %q, want %q", test.reason, step.Changes, test.changes)
			}
			if next := step.Next.Sub(day); next.Round(time.Second) != test.next.Round(time.Second) {
				t.Errorf("%s: the next step is after %v, want %v", test.reason, next, test.next)
			}
			if len(step.Material.Trusted) != test.bundle {
				t.Errorf("%s: %d CAs are trusted, want %d", test.reason, len(step.Material.Trusted), test.bundle)
			}
			if err := test.settings.unusable(step.Material.Serving, step.Material.Trusted, now); err != nil {
				t.Errorf("%s: what is served: %v", test.reason, err)
			}
			if again := plan(t, test.settings, step.Material, 0, false, now); len(again.Changes) > 0 {
				t.Errorf("%s: planned again there is %q", test.reason, again.Changes)
			}
		})
	}
}

// world is a cluster in which word of what changes takes its time.
type world struct {
	t        *testing.T
	random   *rand.Rand
	settings Settings
	now      time.Time
	secret   Material
	// bundle is the configuration's, since when its signer is in it.
	bundle []*x509.Certificate
	since  time.Time
	// apiServers trust some bundle of the last few seconds, replicas serve what
	// was in the Secret in the last few seconds.
	apiServers [2][]*x509.Certificate
	replicas   [3]Material
	heard      [2]time.Time
	read       [3]time.Time
	log        []string
}

// late is how long word takes at most: well under what a step waits.
const late = 20 * time.Second

func (w *world) reconcile(rotate bool) {
	signer := w.secret.signer()
	published := time.Duration(0)
	if signer != nil && slices.ContainsFunc(w.bundle, signer.Equal) {
		published = w.now.Sub(w.since)
	}
	step := plan(w.t, w.settings, w.secret, published, rotate, w.now)
	w.log = append(w.log, fmt.Sprintf("%v: %v", w.now.Sub(day), step.Changes))
	w.secret = step.Material
	if !slices.EqualFunc(w.bundle, w.secret.Trusted, (*x509.Certificate).Equal) {
		if !slices.ContainsFunc(w.bundle, w.secret.signer().Equal) {
			w.since = w.now
		}
		w.bundle = w.secret.Trusted
	}
}

// pass lets time go by: whoever has not heard for too long hears.
func (w *world) pass(time time.Duration) {
	w.now = w.now.Add(time)
	for i := range w.apiServers {
		if w.random.IntN(3) == 0 || w.now.Sub(w.heard[i]) >= late {
			w.apiServers[i], w.heard[i] = w.bundle, w.now
		}
	}
	for i := range w.replicas {
		if w.random.IntN(3) == 0 || w.now.Sub(w.read[i]) >= late {
			w.replicas[i], w.read[i] = w.secret, w.now
		}
	}
}

// check fails the test where some API server would deny some replica.
func (w *world) check() {
	for i, replica := range w.replicas {
		for j, trusted := range w.apiServers {
			if err := Verify(replica.Serving, trusted, service, w.now); err != nil {
				w.t.Fatalf("after %v API server %d denies replica %d: %v\n%s", w.now.Sub(day), j, i, err, strings.Join(w.log, "\n"))
			}
		}
	}
}

// TestNoAdmissionFails proves that through rotations, asked for or due, in any
// order and at any time, every API server trusts what every replica serves,
// although each of them hears late of what changes.
func TestNoAdmissionFails(t *testing.T) {
	for seed := range uint64(10) {
		w := &world{t: t, random: rand.New(rand.NewPCG(seed, 0)), settings: settings(), now: day} //nolint:gosec // a failure has to come again with its seed
		w.reconcile(false)
		for range 10 {
			w.pass(5 * time.Second)
		}
		cas := map[string]bool{}
		for range 250 {
			switch w.random.IntN(20) {
			case 0:
				w.reconcile(true)
			case 1: // a long time, in which somebody looks every minute
				for hours := w.random.IntN(20); hours > 0; hours-- {
					w.pass(time.Hour)
					w.check()
					w.reconcile(false)
				}
			default:
				w.reconcile(false)
			}
			w.pass(time.Duration(1+w.random.IntN(5)) * time.Second)
			w.check()
			cas[string(w.secret.signer().Raw)] = true
		}
		if len(cas) < 3 {
			t.Fatalf("seed %d saw %d CAs only", seed, len(cas))
		}
	}
}

package certs

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const testDNSName = "kongdao-webhook.kongdao-system.svc"

// startTime is when the tests begin.
var startTime = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func testSettings() Settings {
	return Settings{DNSNames: []string{testDNSName}, CALifetime: 300 * time.Hour, Lifetime: 100 * time.Hour}
}

// plan returns the result of planRotation.
func plan(
	t *testing.T, s Settings, current keyPairs, published time.Duration, rotate bool, now time.Time,
) rotationPlan {
	t.Helper()
	plan, err := s.planRotation(current, published, rotate, now)
	if err != nil {
		t.Fatal(err)
	}
	if !plan.next.After(now) {
		t.Errorf("the next planning is at %v, which is not after %v", plan.next, now)
	}
	return plan
}

// rotationTest is a call of planRotation with the expected result.
type rotationTest struct {
	name string
	// reason explains the expected result.
	reason   string
	settings Settings // testSettings if empty
	// current, published, rotate and elapsed are the arguments. The time is startTime plus elapsed.
	current   keyPairs
	published time.Duration
	rotate    bool
	elapsed   time.Duration
	// changes are substrings of the expected changes, in order.
	changes []string
	// next is the expected time of the next planning, counted from startTime.
	next time.Duration
	// trustedCAs is the expected number of CAs.
	trustedCAs int
}

// rotationTests returns one test for each situation.
func rotationTests(t *testing.T) []rotationTest {
	const (
		untilRenewal       = 200 * time.Hour / 3 // two thirds of a serving certificate's lifetime
		untilPropagated    = time.Minute
		untilOverlapIsOver = time.Hour
	)
	s := testSettings()
	initial := plan(t, s, keyPairs{}, 0, false, startTime).keyPairs
	newCA := plan(t, s, initial, time.Hour, true, startTime.Add(time.Hour)).keyPairs
	newServing := plan(t, s, newCA, s.propagationDelay(), false, startTime.Add(2*time.Hour)).keyPairs
	dueCA := initial
	dueCA.serving = plan(t, s, initial, 0, false, startTime.Add(190*time.Hour)).keyPairs.serving
	withoutCAKey := initial
	withoutCAKey.caKey = nil
	withoutServing := initial
	withoutServing.serving = nil
	withoutCA := initial
	withoutCA.trustedCAs, withoutCA.caKey = nil, nil
	otherName := s
	otherName.DNSNames = append(slices.Clone(s.DNSNames), "other.example.com")
	return []rotationTest{
		{
			name: "empty Secret", reason: "no replica serves a certificate, so there is no delay",
			changes: []string{"created a CA", "created a serving certificate: there was none"},
			next:    untilRenewal, trustedCAs: 1,
		},
		{
			name: "nothing to do", current: initial, published: time.Hour, elapsed: time.Hour,
			next: untilRenewal, trustedCAs: 1,
		},
		{
			name: "serving certificate due", reason: "less than a third of its lifetime is left",
			current: initial, published: time.Hour, elapsed: 67 * time.Hour,
			changes: []string{"created a new serving certificate because the previous one expires"},
			next:    67*time.Hour + untilRenewal, trustedCAs: 1,
		},
		{
			name: "serving certificate due, CA not published", reason: "both certificates have the same CA",
			current: initial, elapsed: 67 * time.Hour,
			changes: []string{"created a new serving certificate"},
			next:    67*time.Hour + untilRenewal, trustedCAs: 1,
		},
		{
			name: "CA due", reason: "API servers must know the new CA before it signs",
			current: dueCA, published: time.Hour, elapsed: 201 * time.Hour,
			changes: []string{"created a new CA because the previous one expires"},
			next:    201*time.Hour + untilPropagated, trustedCAs: 2,
		},
		{
			name: "rotation requested", current: initial, published: time.Hour, rotate: true, elapsed: time.Hour,
			changes: []string{"created a new CA because annotation kongdao.io/rotate requests it"},
			next:    time.Hour + untilPropagated, trustedCAs: 2,
		},
		{
			name: "new CA not published", reason: "API servers may not trust it yet",
			current: newCA, elapsed: 2 * time.Hour,
			next: 2*time.Hour + untilPropagated, trustedCAs: 2,
		},
		{
			name: "new CA just published", current: newCA, published: 20 * time.Second, elapsed: 2 * time.Hour,
			next: 2*time.Hour + untilPropagated - 20*time.Second, trustedCAs: 2,
		},
		{
			name: "new CA propagated", current: newCA, published: time.Minute, elapsed: 2 * time.Hour,
			changes: []string{"created a serving certificate of the new CA"},
			next:    2*time.Hour + untilOverlapIsOver, trustedCAs: 2,
		},
		{
			name: "during the overlap", reason: "a replica may be disconnected and serve the old certificate",
			current: newServing, published: time.Hour, elapsed: 3*time.Hour - time.Second,
			next: 2*time.Hour + untilOverlapIsOver, trustedCAs: 2,
		},
		{
			name: "after the overlap", current: newServing, published: time.Hour, elapsed: 3 * time.Hour,
			changes: []string{"removed older CAs (1)"},
			next:    2*time.Hour + untilRenewal, trustedCAs: 1,
		},
		{
			name: "serving certificate expired", reason: "the time for clock differences is over, too",
			current: initial, published: time.Hour, elapsed: 101 * time.Hour,
			changes: []string{"created a serving certificate: the previous one is not usable"},
			next:    101*time.Hour + untilRenewal, trustedCAs: 1,
		},
		{
			name: "all certificates expired", reason: "the cluster was off for a long time",
			current: initial, elapsed: 5000 * time.Hour,
			changes: []string{"removed expired CAs (1)", "created a CA", "created a serving certificate"},
			next:    5000*time.Hour + untilRenewal, trustedCAs: 1,
		},
		{
			name: "DNS name added", reason: "the Service has another name", settings: otherName,
			current: initial, published: time.Hour, elapsed: time.Hour,
			changes: []string{"created a serving certificate: the previous one is not usable"},
			next:    time.Hour + untilRenewal, trustedCAs: 1,
		},
		{
			name: "CA key lost", reason: "the serving certificate is valid, and stays until the new CA is known",
			current: withoutCAKey, elapsed: time.Hour, changes: []string{"created a CA"},
			next: time.Hour + untilPropagated, trustedCAs: 2,
		},
		{
			name: "serving certificate lost", current: withoutServing, published: time.Hour, elapsed: time.Hour,
			changes: []string{"created a serving certificate: there was none"},
			next:    time.Hour + untilRenewal, trustedCAs: 1,
		},
		{
			name: "CA lost", reason: "nothing shows which CA signed the serving certificate",
			current: withoutCA, elapsed: time.Hour,
			changes: []string{"created a CA", "created a serving certificate: the previous one is not usable"},
			next:    time.Hour + untilRenewal, trustedCAs: 1,
		},
	}
}

func TestPlanRotation(t *testing.T) {
	for _, test := range rotationTests(t) {
		t.Run(test.name, func(t *testing.T) {
			if test.settings.DNSNames == nil {
				test.settings = testSettings()
			}
			now := startTime.Add(test.elapsed)
			got := plan(t, test.settings, test.current, test.published, test.rotate, now)
			if !slices.EqualFunc(got.changes, test.changes, strings.Contains) {
				t.Errorf("changes %q, want %q; %s", got.changes, test.changes, test.reason)
			}
			if next := got.next.Sub(startTime); next.Round(time.Second) != test.next.Round(time.Second) {
				t.Errorf("next planning after %v, want %v; %s", next, test.next, test.reason)
			}
			if count := len(got.keyPairs.trustedCAs); count != test.trustedCAs {
				t.Errorf("%d trusted CAs, want %d; %s", count, test.trustedCAs, test.reason)
			}
			if err := test.settings.checkUsable(got.keyPairs.serving, got.keyPairs.trustedCAs, now); err != nil {
				t.Errorf("unusable serving certificate: %v; %s", err, test.reason)
			}
			if again := plan(t, test.settings, got.keyPairs, 0, false, now); len(again.changes) > 0 {
				t.Errorf("changes %q when planned again, want none; %s", again.changes, test.reason)
			}
		})
	}
}

package policycontroller

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/events"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

// TestEnforcedSince proves since when a policy counts as enforced.
func TestEnforcedSince(t *testing.T) {
	now, before := time.Unix(10_000, 0), metav1.NewTime(time.Unix(5000, 0))
	enforced := &policy.Policy{Plugins: []annotations.PluginRef{{Name: "a"}}}
	for name, test := range map[string]struct {
		reason     string
		policy     *policy.Policy
		webhook    error
		before     *metav1.Time
		generation int64 // the status observed generation 1
		want       *metav1.Time
	}{
		"new":         {"the webhook is called from now on", enforced, nil, nil, 1, new(metav1.NewTime(now))},
		"unchanged":   {"the first time counts", enforced, nil, &before, 1, &before},
		"changed":     {"pods can lack what the new spec says", enforced, nil, &before, 2, new(metav1.NewTime(now))},
		"no webhook":  {"the policy was never enforced", enforced, errors.New("missing"), nil, 1, nil},
		"lost":        {"new pods lack the plugins", enforced, errors.New("missing"), &before, 1, &before},
		"invalid":     {"the policy has no effect", nil, nil, &before, 1, nil},
		"only limits": {"the policy gives no plugins", &policy.Policy{}, nil, nil, 1, nil},
		"audited": {"pods do not change", &policy.Policy{Plugins: enforced.Plugins, Audits: true}, nil, &before, 1,
			nil},
	} {
		item := &v1alpha1.PluginPolicy{
			ObjectMeta: metav1.ObjectMeta{Generation: test.generation},
			Status:     v1alpha1.PluginPolicyStatus{ObservedGeneration: 1, EnforcedSince: test.before},
		}
		if diff := cmp.Diff(test.want, nextEnforcedSince(item, test.policy, test.webhook, now)); diff != "" {
			t.Errorf("%s: %s (-want +got)\n%s", name, test.reason, diff)
		}
	}
}

// TestIsUninjected proves which outdated pods were created without a call of the webhook.
func TestIsUninjected(t *testing.T) {
	since := time.Unix(10_000, 0)
	for name, test := range map[string]struct {
		created  time.Time
		since    time.Time
		releases []mutate.ReleaseRecord
		want     bool
	}{
		"older than the policy": {since.Add(-time.Hour), since, nil, false},
		"API servers may learn": {since.Add(enforcementDelay), since, nil, false},
		"later":                 {since.Add(enforcementDelay + time.Second), since, nil, true},
		"not enforced":          {since.Add(time.Hour), time.Time{}, nil, false},
		"other plugins":         {since.Add(time.Hour), since, []mutate.ReleaseRecord{{Plugin: "b"}}, false},
	} {
		pod := &clusterstate.KongPod{Releases: test.releases}
		pod.CreationTimestamp = metav1.NewTime(test.created)
		if got := isUninjected(pod, test.since); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// fakeRecorder records the objects and messages of Events.
type fakeRecorder struct{ lines []string }

func (r *fakeRecorder) Eventf(about, _ runtime.Object, eventType, reason, _, _ string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf("%s %s %s: %s", about.GetObjectKind().GroupVersionKind().Kind, eventType,
		reason, args[0]))
}

// TestReportUninjected proves that each pod has one Event for each policy.
func TestReportUninjected(t *testing.T) {
	recorder := &fakeRecorder{}
	c := &Controller{Events: events.NewRecorder(recorder)}
	pod := &clusterstate.KongPod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "kong-1", UID: "1"},
		Owner: &metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "kong"}}
	bare := &clusterstate.KongPod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "bare", UID: "2"}}
	both := map[string]*counts{"p": {uninjected: []*clusterstate.KongPod{pod, bare}}}
	c.reportUninjected(both)
	c.reportUninjected(both)
	c.reportUninjected(nil) // the pods could not be counted
	c.reportUninjected(map[string]*counts{"p": {uninjected: []*clusterstate.KongPod{pod}}, "q": {
		uninjected: []*clusterstate.KongPod{pod},
	}})
	line := func(kind, pod, policy string) string {
		return fmt.Sprintf("%s Warning PluginsMissing: pod %q runs without the plugins of policy %q: kongdao was not called "+
			"when the pod was created, or the policy selects its namespace only since then. Check that the webhook is "+
			"installed and ready, then replace the pod", kind, pod, policy)
	}
	want := []string{line("ReplicaSet", "kong-1", "p"), line("Pod", "bare", "p"), line("ReplicaSet", "kong-1", "q")}
	if diff := cmp.Diff(want, recorder.lines); diff != "" {
		t.Errorf("Events (-want +got)\n%s", diff)
	}
}

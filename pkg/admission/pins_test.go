package admission

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/test/configmaps"
)

// injectedPod returns the metadata of a pod of the workloads in these tests.
func injectedPod(age time.Duration, record string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: "kong", Labels: map[string]string{"app": "kong", annotations.Injected: "true"},
		Annotations:       map[string]string{annotations.InjectionRecord: record},
		CreationTimestamp: metav1.NewTime(time.Unix(1_800_000_000, 0).Add(-age)),
	}
}

// TestPins checks which releases the webhook writes to the template of a workload that requests dao-test.
func TestPins(t *testing.T) {
	sources := []*corev1.ConfigMap{
		configmaps.Versioned(configmaps.Source("kong", "old", "dao-test"), "1.9.0"),
		configmaps.Versioned(configmaps.Source("kong", "new", "dao-test"), "1.10.0"),
	}
	record := func(version string) string {
		return `{"releases":[{"plugin":"dao-test","version":"` + version + `","digest":"sha256:aa","sources":["old"]}]}`
	}
	other := injectedPod(0, record("1.10.0"))
	other.Labels["app"] = "other"
	workload := func(template string) string {
		return `{spec: {selector: {matchLabels: {app: kong}}, ` +
			`template: {metadata: ` + annotated(template) + `, ` + spec + `}}}`
	}
	const (
		pinOld = daoTest + `, kongdao.io/releases: dao-test@1.9.0`
		pinNew = daoTest + `, kongdao.io/releases: dao-test@1.10.0`
	)
	for name, test := range map[string]struct {
		object, old string
		pods        []metav1.ObjectMeta
		fail        error
		want        string
		warning     string
		reason      string
	}{
		"new": {object: workload(daoTest), want: workload(pinNew), reason: "1.10.0 is newer than 1.9.0 (case 23)"},
		"applied again": {
			object: workload(daoTest), old: workload(pinOld), want: workload(pinOld),
			reason: "the manifest has no pin",
		},
		"rolled back": {object: workload(pinOld), old: workload(pinNew), want: workload(pinOld)},
		"from before pins": {
			object: workload(daoTest), old: workload(daoTest), want: workload(pinOld),
			pods: []metav1.ObjectMeta{
				injectedPod(time.Hour, record("1.10.0")), injectedPod(time.Minute, record("1.9.0")), other,
			},
			reason: "its newest pod has this release",
		},
		"from before pins, without pods": {object: workload(daoTest), old: workload(daoTest), want: workload(pinNew)},
		"from before pins, with a forged record": {
			object: workload(daoTest), old: workload(daoTest), want: workload(pinNew),
			pods: []metav1.ObjectMeta{injectedPod(0, record("1.9.0,x"))},
		},
		"from before pins, with a malformed record": {
			object: workload(daoTest), old: workload(daoTest), want: workload(pinNew),
			pods: []metav1.ObjectMeta{injectedPod(0, "{")},
		},
		"from before pins, and the pods cannot be read": {
			object: workload(daoTest), old: workload(daoTest), want: workload(daoTest), fail: errors.New("etcd is away"),
			warning: `kongdao cannot choose releases for this Deployment: list the pods in namespace "kong": etcd is away`,
			reason:  "it is not moved to another release",
		},
		"missing": {
			object:  workload(daoTest + `, kongdao.io/releases: dao-test@1.0.0`),
			want:    workload(daoTest + `, kongdao.io/releases: dao-test@1.0.0`),
			warning: `the pods of this Deployment will be denied: plugin "dao-test@1.0.0": all pods of this template`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			live := &fakeReader{configMaps: sources, pods: test.pods}
			if test.fail != nil {
				live.fail = func(context.Context) error { return test.fail }
			}
			h := newHarness(t, &Cluster{Sources: clusterstate.StaticSources(sources...), Live: live})
			request := workloadRequest(t, "Deployment", workloadTest{object: test.object, old: test.old})
			got := h.handle(t, request)
			object := asYAML(t, patched(t, request.Object.Raw, got.Patch))
			if diff := cmp.Diff(asYAML(t, toJSON(t, test.want)), object); diff != "" {
				t.Errorf("%s (-want +got)\n%s", test.reason, diff)
			}
			hasWarning := slices.ContainsFunc(got.Warnings, func(warning string) bool {
				return test.warning != "" && strings.Contains(warning, test.warning)
			})
			if hasWarning != (test.warning != "") || !hasWarning && len(got.Warnings) > 0 {
				t.Errorf("got warnings %q, want %q", got.Warnings, test.warning)
			}
		})
	}
}

// TestNewestIsNewerThanTheCache checks that a release counts that was published just before the workload was created.
func TestNewestIsNewerThanTheCache(t *testing.T) {
	published := configmaps.Versioned(configmaps.Source("kong", "new", "dao-test"), "2")
	published.UID, published.ResourceVersion = "7", "7"
	cached := configmaps.Versioned(configmaps.Source("kong", "old", "dao-test"), "1")
	for name, arrive := range map[string]func(add func()){
		"while the webhook waits for it": func(add func()) { go add() },
		"before the webhook waits":       func(add func()) { add() },
	} {
		t.Run(name, func(t *testing.T) {
			sources := clusterstate.StaticSources(cached)
			live := &fakeReader{configMaps: []*corev1.ConfigMap{cached, published}}
			live.fail = func(context.Context) error {
				arrive(func() { sources.Add(published) })
				return nil
			}
			h := newHarness(t, &Cluster{Sources: sources, Live: live})
			request := workloadRequest(t, "Deployment", workloadTest{object: workloadYAML(daoTest, none)})
			got := asYAML(t, patched(t, request.Object.Raw, h.handle(t, request).Patch))
			if !strings.Contains(got, "kongdao.io/releases: dao-test@2") {
				t.Errorf("the newest release is not chosen:\n%s", got)
			}
		})
	}
}

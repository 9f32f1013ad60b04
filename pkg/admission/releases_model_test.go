package admission

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/configmaps"
)

// releasesModel is a Deployment that requests the plugin "a", its releases and its pods. Random events change them.
type releasesModel struct {
	t       *testing.T
	random  *rand.Rand
	h       *harness
	sources *clusterstate.Sources
	live    *fakeReader
	// own are the annotations of the Deployment, and template those of its pod template.
	own, template map[string]string
	// templates are all templates until now. The present one is the last.
	templates []map[string]string
	now       time.Time
	names     int
	history   []string
}

// TestReleasesModel runs random sequences of events. It proves that the pods of a template never differ in their
// release, and that publishing a release neither denies a pod that would have started nor changes its release.
func TestReleasesModel(t *testing.T) {
	sequences := 1000
	if testing.Short() {
		sequences = 100
	}
	started, denied := 0, 0
	for seed := range uint64(sequences) {
		m := &releasesModel{
			t: t, random: rand.New(rand.NewPCG(seed, 14)), //nolint:gosec // G404: a sequence must be reproducible
			sources: clusterstate.StaticSources(), live: &fakeReader{}, now: time.Unix(1_800_000_000, 0),
		}
		m.h = newHarness(t, nil)
		if m.random.IntN(4) > 0 { // otherwise the Deployment is older than its plugin
			m.publish()
		}
		m.apply("create", map[string]string{annotations.Plugins: "a"}, map[string]string{"restarts": "0"}, false)
		for range 25 {
			m.now = m.now.Add(time.Second)
			m.event()
			m.checkPods()
		}
		if _, ok := m.admit(); ok {
			started++
		} else {
			denied++
		}
	}
	if started == 0 || denied == 0 {
		t.Errorf("the model proves little: at the end, a pod starts in %d sequences and is denied in %d", started, denied)
	}
	t.Logf("at the end, a pod starts in %d sequences and is denied in %d", started, denied)
}

func (m *releasesModel) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\nhistory:\n%s", fmt.Sprintf(format, args...), strings.Join(m.history, "\n"))
}

// reset makes the webhook forget which denials it has confirmed. Otherwise it waits for the cache before each denial.
func (m *releasesModel) reset() {
	m.h.pods.Cluster = &Cluster{Sources: m.sources, Live: m.live}
	m.h.workloads.Cluster = m.h.pods.Cluster
}

func (m *releasesModel) event() {
	m.names++
	switch m.random.IntN(10) {
	case 0, 1:
		before, started := m.admit()
		m.publish()
		after, starts := m.admit()
		if started && (!starts || before != after && !m.mayChangeTo(after)) {
			m.fatalf("before a release was published, a pod got %q, and then %q (started: %t)", before, after, starts)
		}
	case 2:
		m.deleteRelease()
	case 3:
		requests := []string{"a", "a", "a@1.0.0", "a@1.10.0", ""}
		own := map[string]string{annotations.Plugins: requests[m.random.IntN(len(requests))]}
		m.apply("annotate "+own[annotations.Plugins], own, m.template, true)
	case 4, 5:
		m.createPod("scale")
	case 6:
		if len(m.live.pods) > 0 {
			at := m.random.IntN(len(m.live.pods))
			m.live.pods = slices.Delete(m.live.pods, at, at+1)
			m.createPod("evict")
		}
	case 7:
		restarted := maps.Clone(m.template)
		restarted["restarts"] = fmt.Sprint(m.names)
		m.apply("restart", m.own, restarted, true)
	case 8:
		if older := len(m.templates) - 2; older >= 0 {
			m.apply("undo", m.own, m.templates[m.random.IntN(older+1)], true)
		}
	case 9:
		if versions := m.versions(); len(versions) > 0 {
			moved := maps.Clone(m.template)
			moved[annotations.Releases] = "a@" + versions[m.random.IntN(len(versions))]
			m.apply("upgrade to "+moved[annotations.Releases], m.own, moved, true)
		}
	}
}

// mayChangeTo reports whether a new release may change what a new pod gets. It may if the template has no pin and no
// pods. It may also if the pods have this release, which was deleted and is published again.
func (m *releasesModel) mayChangeTo(release string) bool {
	if m.template[annotations.Releases] != "" {
		return false
	}
	pods := m.podsOf(len(m.templates) - 1)
	return len(pods) == 0 || pods[0].Annotations[annotations.InjectionRecord] == release
}

func (m *releasesModel) versions() []string {
	var versions []string
	for _, source := range m.live.configMaps {
		versions = append(versions, source.Labels[annotations.PluginVersion])
	}
	return versions
}

// publish creates a release that does not exist. Some are broken.
func (m *releasesModel) publish() {
	all := []string{"1.0.0", "1.2.0", "1.9.0", "1.10.0", "2.0.0-rc.1", "2.0.0"}
	version := all[m.random.IntN(len(all))]
	if slices.Contains(m.versions(), version) {
		return
	}
	source := configmaps.Versioned(configmaps.Source("kong", "a-"+version, "a"), version)
	if m.random.IntN(4) == 0 {
		delete(source.Data, "schema.lua")
	}
	m.history = append(m.history, fmt.Sprintf("publish %s, broken %t", version, source.Data["schema.lua"] == ""))
	m.live.configMaps = append(m.live.configMaps, source)
	m.sources.Add(source)
}

func (m *releasesModel) deleteRelease() {
	if len(m.live.configMaps) == 0 {
		return
	}
	at := m.random.IntN(len(m.live.configMaps))
	m.history = append(m.history, "delete "+m.live.configMaps[at].Name)
	m.sources.Remove(m.live.configMaps[at])
	m.live.configMaps = slices.Delete(m.live.configMaps, at, at+1)
}

// apply changes the Deployment as the API server does, with the webhook's patch. A changed template gets a new pod.
func (m *releasesModel) apply(what string, own, template map[string]string, isUpdate bool) {
	object := func(own, template map[string]string) string {
		text, err := json.Marshal(map[string]any{
			"metadata": map[string]any{"annotations": own},
			"spec": map[string]any{
				"selector": map[string]any{"matchLabels": map[string]string{"app": "kong"}},
				"template": map[string]any{"metadata": map[string]any{"annotations": template}, "spec": map[string]any{
					"containers": []any{map[string]string{"name": "proxy", "image": "kong:3.9"}},
				}},
			},
		})
		if err != nil {
			m.t.Fatal(err)
		}
		return string(text)
	}
	test := workloadTest{object: object(own, template)}
	if isUpdate {
		test.old = object(m.own, m.template)
	}
	m.reset()
	request := workloadRequest(m.t, "Deployment", test)
	var changed struct {
		Spec struct{ Template corev1.PodTemplateSpec }
	}
	if err := json.Unmarshal(patched(m.t, request.Object.Raw, m.h.handle(m.t, request).Patch), &changed); err != nil {
		m.t.Fatal(err)
	}
	m.own, m.template = own, changed.Spec.Template.Annotations
	m.history = append(m.history, fmt.Sprintf("%s: the template has %v", what, m.template))
	at := slices.IndexFunc(m.templates, func(older map[string]string) bool { return maps.Equal(older, m.template) })
	if at >= 0 { // a rollback uses the older ReplicaSet again
		m.templates = slices.Delete(m.templates, at, at+1)
	}
	m.templates = append(m.templates, m.template)
	m.live.pods = nil // the rollout ends all other pods
	m.createPod("rollout")
}

// admit returns the release that a new pod of the present template gets, and whether it starts.
func (m *releasesModel) admit() (release string, starts bool) {
	pod, err := json.Marshal(corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "kong", Labels: m.labels(), Annotations: m.template},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}},
	})
	if err != nil {
		m.t.Fatal(err)
	}
	isController := true
	var object map[string]any
	if err := json.Unmarshal(pod, &object); err != nil {
		m.t.Fatal(err)
	}
	object["metadata"].(map[string]any)["ownerReferences"] = []metav1.OwnerReference{
		{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "kong", UID: "7", Controller: &isController},
	}
	if pod, err = json.Marshal(object); err != nil {
		m.t.Fatal(err)
	}
	m.reset()
	reply := m.h.post(m.t, podReviewOf(m.t, pod, "kong"))
	var admitted corev1.Pod
	if err := json.Unmarshal(patched(m.t, pod, reply.response.Patch), &admitted); err != nil {
		m.t.Fatal(err)
	}
	return admitted.Annotations[annotations.InjectionRecord], reply.response.Allowed
}

func (m *releasesModel) labels() map[string]string {
	return map[string]string{"app": "kong", "pod-template-hash": fmt.Sprint(len(m.templates))}
}

// createPod adds a pod of the present template, unless it is denied.
func (m *releasesModel) createPod(what string) {
	record, starts := m.admit()
	m.history = append(m.history, fmt.Sprintf("%s: a pod with %s, denied %t", what, record, !starts))
	if starts && record != "" {
		pod := metav1.ObjectMeta{
			Namespace: "kong", Labels: m.labels(), CreationTimestamp: metav1.NewTime(m.now),
			Annotations: map[string]string{annotations.InjectionRecord: record},
		}
		pod.Labels[annotations.Injected] = "true"
		m.live.pods = append(m.live.pods, pod)
	}
}

// podsOf returns the pods of a template.
func (m *releasesModel) podsOf(template int) []metav1.ObjectMeta {
	return slices.DeleteFunc(slices.Clone(m.live.pods), func(pod metav1.ObjectMeta) bool {
		return pod.Labels["pod-template-hash"] != fmt.Sprint(template+1)
	})
}

// checkPods fails if two pods of a template have different releases.
func (m *releasesModel) checkPods() {
	for i := range m.templates {
		versions := map[string]bool{}
		for _, pod := range m.podsOf(i) {
			record, err := mutate.ParseInjectionRecord(pod.Annotations)
			if err != nil {
				m.t.Fatal(err)
			}
			for _, release := range record.Releases {
				versions[release.Version] = true
			}
		}
		if len(versions) > 1 {
			m.fatalf("the pods of template %d have the releases %v", i, slices.Sorted(maps.Keys(versions)))
		}
	}
}

package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/installation"
)

// What these tests' policies allow, and what they do not.
const (
	allowed   = "dao-allowed"
	forbidden = "forbidden"
)

// restricted makes a namespace with both plugins, of which a policy allows one.
func restricted(t *testing.T) string {
	t.Helper()
	ns := namespace(t)
	source(t, ns, allowed, "1.0.0")
	source(t, ns, forbidden, "1.0.0")
	policyFor(t, "restricts", v1alpha1.PluginPolicySpec{Allowed: []string{"dao-*"}}, ns)
	eventuallyDenied(t, pod(ns, "kong", forbidden), notAllowed(ns))
	return ns
}

// notAllowed is what is said of the plugin that is not.
func notAllowed(ns string) string {
	return fmt.Sprintf("plugin %q: policy %q does not allow it in namespace %q", forbidden, "restricts-"+ns, ns)
}

// mustBeDenied fails unless a pod is denied, at once, with these words.
func mustBeDenied(t *testing.T, made *corev1.Pod, words string) {
	t.Helper()
	if _, err := admitted(t.Context(), made); err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("%q is not in: %v", words, err)
	}
}

// forge gives a pod the marks of an injection that was none.
func forge(t *testing.T, made *corev1.Pod, releases ...mutate.ReleaseRecord) *corev1.Pod {
	t.Helper()
	text, err := json.Marshal(mutate.InjectionRecord{Releases: releases})
	if err != nil {
		t.Fatal(err)
	}
	metav1.SetMetaDataAnnotation(&made.ObjectMeta, annotations.InjectionRecord, string(text))
	metav1.SetMetaDataLabel(&made.ObjectMeta, annotations.Injected, "true")
	return made
}

// markOf is what a pod was given.
func markOf(t *testing.T, made *corev1.Pod) mutate.InjectionRecord {
	t.Helper()
	var mark mutate.InjectionRecord
	if err := json.Unmarshal([]byte(made.Annotations[annotations.InjectionRecord]), &mark); err != nil {
		t.Fatalf("the mark %q: %v", made.Annotations[annotations.InjectionRecord], err)
	}
	return mark
}

// TestAForgedMark proves that a pod which says that it has been injected already
// gets neither what is not allowed, nor round what a policy gives.
func TestAForgedMark(t *testing.T) {
	t.Parallel()
	ns := restricted(t)
	mark := mutate.ReleaseRecord{Plugin: forbidden, Version: "1.0.0", Digest: "sha256:" + strings.Repeat("0", 64), Sources: []string{forbidden + "-1.0.0"}}
	mustBeDenied(t, forge(t, pod(ns, "kong", forbidden), mark), notAllowed(ns))
	policyFor(t, "gives", v1alpha1.PluginPolicySpec{Plugins: plugins(allowed)}, ns)
	eventuallyGiven(t, unasked(ns, "kong"), "bundled,"+allowed)
	got, err := admitted(t.Context(), forge(t, unasked(ns, "kong"), mark))
	if err != nil || given(got) != "bundled,"+allowed {
		t.Fatalf("KONG_PLUGINS is %q: %v", given(got), err)
	}
	if releases := markOf(t, got).Releases; len(releases) != 1 || releases[0].Plugin != allowed {
		t.Errorf("the forged mark stays: %v", releases)
	}
}

// TestAForgedMarkCopiesNothing proves that a pod gets no other namespace's plugins
// to its own by a mark that says so, whether it may use another of that library's or
// none; and that one which lists what is there is not let go with it.
func TestAForgedMarkCopiesNothing(t *testing.T) {
	t.Parallel()
	ns, library, foreign := namespace(t), namespace(t), namespace(t)
	source(t, library, allowed, "1.0.0")
	source(t, library, forbidden, "1.0.0")
	source(t, foreign, allowed, "2.0.0")
	policyFor(t, "offers", v1alpha1.PluginPolicySpec{Allowed: []string{"dao-*"}, Library: library}, ns)
	policyFor(t, "reads", v1alpha1.PluginPolicySpec{Plugins: plugins(forbidden), Library: library}, foreign)
	first := unasked(foreign, "kong")
	eventuallyGiven(t, first, "bundled,"+forbidden)
	create(t, first)
	marks := map[string]mutate.ReleaseRecord{"not-allowed": markOf(t, first).Releases[0], "foreign": markOf(t, first).Releases[0]}
	other := marks["foreign"]
	other.Library, other.Plugin, other.Version = foreign, allowed, "2.0.0"
	marks["foreign"] = other
	for name, mark := range marks {
		thief := forge(t, unasked(ns, name), mark)
		thief.Spec.Containers[0].Image = "nginx" // nobody asks the webhook
		thief.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: annotations.LibraryGate}}
		create(t, thief)
		want := "no policy lets namespace \"" + ns + "\" use it from library "
		eventually(t, func(ctx context.Context) error {
			said, err := eventsOn(ctx, ns, name)
			if err == nil && !strings.Contains(said, want) {
				err = fmt.Errorf("Events say %q", said)
			}
			return err
		})
		get(t, thief)
		if !awaitsLibrary(thief) {
			t.Errorf("%s: the pod is let go", name)
		}
	}
	if copies := copiesIn(t.Context(), t, ns); len(copies) > 0 {
		t.Errorf("%d copies were made", len(copies))
	}
}

// TestLabelsOnAConfigMap proves that a ConfigMap labelled as a plugin, or made to
// look like a library's copy, in a namespace that is not the policy's library is
// given to no pod: neither one elsewhere nor one beside the pod.
func TestLabelsOnAConfigMap(t *testing.T) {
	t.Parallel()
	ns, library, elsewhere := namespace(t), namespace(t), namespace(t)
	source(t, library, quiet, "1.0.0")
	for _, place := range []string{ns, elsewhere} {
		source(t, place, quiet, "1.0.0-evil")
		source(t, place, "other", "1.0.0")
	}
	change(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: elsewhere, Name: "other-1.0.0"}}, func(c *corev1.ConfigMap) {
		c.Labels[annotations.CopyOf] = quiet
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, annotations.Origin, library+"/"+quiet+"@1.0.0")
	})
	policyFor(t, "gives", v1alpha1.PluginPolicySpec{Plugins: plugins(quiet), Allowed: []string{quiet}, Library: library}, ns)
	eventuallyGiven(t, unasked(ns, "kong"), "bundled,quiet")
	got, err := admitted(t.Context(), pod(ns, "kong", quiet))
	if err != nil {
		t.Fatal(err)
	}
	if releases := markOf(t, got).Releases; len(releases) != 1 || releases[0].Version != "1.0.0" || releases[0].Library != library {
		t.Errorf("it got %v", releases)
	}
	mustBeDenied(t, pod(ns, "kong", "other"), `plugin "other": policy "gives-`+ns+`" does not allow it`)
	mustBeDenied(t, pod(ns, "kong", quiet+"@1.0.0-evil"), `library "`+library+`" has version "1.0.0"`)
}

// TestContainersDoNotGoRound proves that annotation kongdao.io/containers neither
// makes a plugin allowed, nor keeps a policy's from any container that is Kong.
func TestContainersDoNotGoRound(t *testing.T) {
	t.Parallel()
	ns := restricted(t)
	two := func(plugins, containers string) *corev1.Pod {
		made := pod(ns, "kong", plugins)
		made.Annotations[annotations.Containers] = containers
		made.Spec.Containers = append(made.Spec.Containers,
			corev1.Container{Name: "second", Image: "kong:3.9"}, corev1.Container{Name: "web", Image: "nginx"})
		return made
	}
	mustBeDenied(t, two(forbidden, "proxy"), notAllowed(ns))
	mustBeDenied(t, two(forbidden, "web"), notAllowed(ns))
	source(t, ns, quiet, "1.0.0")
	policyFor(t, "gives", v1alpha1.PluginPolicySpec{Plugins: plugins(quiet)}, ns)
	eventuallyGiven(t, unasked(ns, "kong"), "bundled,quiet")
	got, err := admitted(t.Context(), two(allowed, "proxy"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"quiet", "quiet", ""} {
		container := got.Spec.Containers[i]
		mounted := slices.ContainsFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool { return strings.HasSuffix(mount.MountPath, "/"+quiet) })
		if mounted != (want != "") {
			t.Errorf("container %q: mounts %v, want %q", container.Name, container.VolumeMounts, want)
		}
	}
}

// TestAnAnnotationOnTheWorkload proves that what is not allowed for a pod is not
// so for that of a Deployment which is annotated, who is told at once; and that
// nobody opts out there of a policy that does not let them.
func TestAnAnnotationOnTheWorkload(t *testing.T) {
	t.Parallel()
	ns := restricted(t)
	asking := deployment(ns, "kong", 1)
	asking.Annotations, asking.Spec.Template.Annotations = map[string]string{annotations.Plugins: forbidden}, nil
	create(t, asking)
	wantEvent(t, ns, "ReplicaSet", "PluginsDenied", notAllowed(ns))
	if said := kubectlSays(t.Context(), t, ns, "annotate", "deployment", "kong", "example.com/again=1", annotations.Plugins+"="+forbidden+"@1.0.0", "--overwrite"); !strings.Contains(said, "does not allow it") {
		t.Errorf("whoever annotates it is told %q", said)
	}
	var pods corev1.PodList
	if err := webhook.Admin.List(t.Context(), &pods, client.InNamespace(ns)); err != nil || len(pods.Items) > 0 {
		t.Errorf("%d pods: %v", len(pods.Items), err)
	}
	policyFor(t, "insists", v1alpha1.PluginPolicySpec{Plugins: plugins(allowed), OptOut: new(false)}, ns)
	eventuallyGiven(t, unasked(ns, "kong"), "bundled,"+allowed)
	out := deployment(ns, "out", 1)
	out.Annotations, out.Spec.Template.Annotations = map[string]string{annotations.Inject: "false"}, nil
	create(t, out)
	podsOf(t, ns, "out", 1, func(made *corev1.Pod) bool { return given(made) == "bundled,"+allowed })
}

// TestALibraryInAnAnnotation proves that no annotation names a library: only a
// policy says where plugins come from.
func TestALibraryInAnAnnotation(t *testing.T) {
	t.Parallel()
	ns, library := restricted(t), namespace(t)
	source(t, library, "dao-elsewhere", "1.0.0")
	for _, request := range []string{library + "/dao-elsewhere", "dao-elsewhere@" + library + "/1.0.0", "dao-elsewhere." + library} {
		mustBeDenied(t, pod(ns, "kong", request), "annotation "+annotations.Plugins)
	}
	named := pod(ns, "kong", "dao-elsewhere")
	for _, name := range []string{"library", "origin", "copy-of"} {
		named.Annotations[annotations.Prefix+name] = library
	}
	mustBeDenied(t, named, `no ConfigMap in namespace "`+ns+`" has the label kongdao.io/plugin=dao-elsewhere`)
}

// kongdaos is a client with the rights, and the name, of the webhook.
func kongdaos(t *testing.T) client.Client {
	t.Helper()
	config := rest.CopyConfig(plane.Config())
	config.Impersonate = rest.ImpersonationConfig{UserName: installation.WebhookUser}
	as, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return as
}

// TestWhoMakesCopies proves that nobody but kongdao makes what looks like a
// library's copy, and that kongdao can make and delete no other ConfigMap.
func TestWhoMakesCopies(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	configMap := func(name, generated string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, GenerateName: generated}}
	}
	as := kongdaos(t)
	for name, test := range map[string]struct {
		by   client.Client
		made *corev1.ConfigMap
		want string
	}{
		"a person":               {webhook.Admin, configMap("kongdao-copy-x", ""), "is reserved for kongdao's copies of plugin libraries"},
		"a person, generated":    {webhook.Admin, configMap("", "kongdao-copy-"), "is reserved for kongdao's copies of plugin libraries"},
		"a person, another name": {webhook.Admin, configMap("kongdao-cop", ""), ""},
		"kongdao":                {as, configMap("kongdao-copy-y", ""), ""},
		"kongdao, another name":  {as, configMap("other", ""), "kongdao can create and delete only"},
	} {
		err := test.by.Create(t.Context(), test.made)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if err := as.Delete(t.Context(), configMap("kongdao-cop", "")); err == nil || !strings.Contains(err.Error(), "kongdao can create and delete only") {
		t.Errorf("kongdao deletes another ConfigMap: %v", err)
	}
	if err := errors.Join(as.Delete(t.Context(), configMap("kongdao-copy-y", "")), webhook.Admin.Delete(t.Context(), configMap("kongdao-cop", ""))); err != nil {
		t.Error(err)
	}
}

// TestHugeRequests proves that what an annotation can hold at most is answered in
// time where policies narrow, audit and offer libraries: else whoever may create
// pods could keep the webhook busy.
func TestHugeRequests(t *testing.T) {
	t.Parallel()
	ns, from := restricted(t), namespace(t)
	policyFor(t, "offers", v1alpha1.PluginPolicySpec{Library: from}, ns)
	policyFor(t, "audits", v1alpha1.PluginPolicySpec{Library: from, Plugins: plugins("dao-1", "dao-2@1"), Allowed: []string{"*1*2*3*4*", "dao-*-*-*"}, Mode: v1alpha1.Audit}, ns)
	for _, form := range []string{"p%d", "dao-%d", "dao-1-%d@1"} {
		var names []string
		for size := 0; size < 64_000; size += len(names[len(names)-1]) + 1 {
			names = append(names, fmt.Sprintf(form, len(names)))
		}
		mustBeDenied(t, pod(ns, "kong", strings.Join(names, ",")), "more")
	}
}

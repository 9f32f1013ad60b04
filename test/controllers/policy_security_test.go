package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// The plugins that the policies of these tests allow, and do not allow.
const (
	allowed   = "dao-allowed"
	forbidden = "forbidden"
)

// restrictedNamespace returns a namespace with both plugins, and a policy that allows only one of them.
func restrictedNamespace(t *testing.T) string {
	t.Helper()
	ns := shared.CreateNamespace(t)
	source(t, ns, allowed, "1.0.0")
	source(t, ns, forbidden, "1.0.0")
	createPolicy(t, "restricts", policySpec{Allowed: []string{"dao-*"}}, ns)
	wantDenied(t, pod(ns, "kong", forbidden), notAllowed(ns))
	return ns
}

// notAllowed returns the message of a denial of the forbidden plugin.
func notAllowed(ns string) string {
	return fmt.Sprintf("plugin %q: policy %q does not allow it in namespace %q", forbidden, "restricts-"+ns, ns)
}

// TestLabelsOnConfigMaps proves that pods get no plugin from a namespace that is not the library of the policy. The
// ConfigMaps there have the label of a plugin, or the labels of a copy.
func TestLabelsOnConfigMaps(t *testing.T) {
	t.Parallel()
	ns, library, elsewhere := shared.CreateNamespace(t), shared.CreateNamespace(t), shared.CreateNamespace(t)
	source(t, library, quiet, "1.0.0")
	for _, attacked := range []string{ns, elsewhere} {
		source(t, attacked, quiet, "1.0.0-evil")
		source(t, attacked, "other", "1.0.0")
	}
	fakeCopy := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: elsewhere, Name: "other-1.0.0"}}
	change(t, fakeCopy, func(c *corev1.ConfigMap) {
		c.Labels[annotations.CopyOf] = quiet
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, annotations.Origin, library+"/"+quiet+"@1.0.0")
	})
	createPolicy(t, "gives", policySpec{Plugins: plugins(quiet), Allowed: []string{quiet}, Library: library}, ns)
	wantKongPlugins(t, kongPod(ns, "kong"), "bundled,quiet")
	created, err := createDryRun(t.Context(), pod(ns, "kong", quiet))
	if err != nil {
		t.Fatal(err)
	}
	releases := injectionRecord(t, created).Releases
	if len(releases) != 1 || releases[0].Version != "1.0.0" || releases[0].Library != library {
		t.Errorf("the pod gets %v", releases)
	}
	wantDeniedNow(t, pod(ns, "kong", "other"), `plugin "other": policy "gives-`+ns+`" does not allow it`)
	wantDeniedNow(t, pod(ns, "kong", quiet+"@1.0.0-evil"), `library "`+library+`" has version "1.0.0"`)
}

// TestContainersAnnotationDoesNotBypassPolicies proves that the annotation kongdao.io/containers does not make a plugin
// allowed, and does not exclude a Kong container from the plugins of a policy.
func TestContainersAnnotationDoesNotBypassPolicies(t *testing.T) {
	t.Parallel()
	ns := restrictedNamespace(t)
	threeContainers := func(plugins, containers string) *corev1.Pod {
		made := pod(ns, "kong", plugins)
		made.Annotations[annotations.Containers] = containers
		made.Spec.Containers = append(made.Spec.Containers,
			corev1.Container{Name: "second", Image: "kong:3.9"}, corev1.Container{Name: "web", Image: "nginx"})
		return made
	}
	wantDeniedNow(t, threeContainers(forbidden, "proxy"), notAllowed(ns))
	wantDeniedNow(t, threeContainers(forbidden, "web"), notAllowed(ns))
	source(t, ns, quiet, "1.0.0")
	createPolicy(t, "gives", policySpec{Plugins: plugins(quiet)}, ns)
	wantKongPlugins(t, kongPod(ns, "kong"), "bundled,quiet")
	created, err := createDryRun(t.Context(), threeContainers(allowed, "proxy"))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, false} {
		container := created.Spec.Containers[i]
		mounted := slices.ContainsFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool {
			return strings.HasSuffix(mount.MountPath, "/"+quiet)
		})
		if mounted != want {
			t.Errorf("container %q mounts the plugin: %v, want %v: %v", container.Name, mounted, want, container.VolumeMounts)
		}
	}
}

// TestPoliciesApplyToAnnotatedWorkloads proves that pods of an annotated Deployment cannot get a plugin that is not
// allowed, and that a person who annotates it gets a warning. They also cannot opt out of a policy that does not permit
// it.
func TestPoliciesApplyToAnnotatedWorkloads(t *testing.T) {
	t.Parallel()
	ns := restrictedNamespace(t)
	requesting := deployment(ns, "kong", 1)
	requesting.Annotations = map[string]string{annotations.Plugins: forbidden}
	requesting.Spec.Template.Annotations = nil
	shared.Create(t, requesting)
	wantEvent(t, ns, "ReplicaSet", "PluginsDenied", notAllowed(ns))
	warnings := kubectlWarnings(t.Context(), t, ns, "annotate", "deployment", "kong", "example.com/again=1",
		annotations.Plugins+"="+forbidden+"@1.0.0", "--overwrite")
	if !strings.Contains(warnings, "does not allow it") {
		t.Errorf("the warnings are %q", warnings)
	}
	var pods corev1.PodList
	if err := webhook.Admin.List(t.Context(), &pods, client.InNamespace(ns)); err != nil || len(pods.Items) > 0 {
		t.Errorf("the namespace has %d pods: %v", len(pods.Items), err)
	}
	createPolicy(t, "insists", policySpec{Plugins: plugins(allowed), OptOut: new(false)}, ns)
	wantKongPlugins(t, kongPod(ns, "kong"), "bundled,"+allowed)
	optingOut := deployment(ns, "out", 1)
	optingOut.Annotations = map[string]string{annotations.Inject: "false"}
	optingOut.Spec.Template.Annotations = nil
	shared.Create(t, optingOut)
	podsOf(t, ns, "out", 1, func(pod *corev1.Pod) bool { return kongPlugins(pod) == "bundled,"+allowed })
}

// TestAnnotationsCannotNameALibrary proves that only a policy decides which library plugins come from.
func TestAnnotationsCannotNameALibrary(t *testing.T) {
	t.Parallel()
	ns, library := restrictedNamespace(t), shared.CreateNamespace(t)
	source(t, library, "dao-elsewhere", "1.0.0")
	for _, request := range []string{
		library + "/dao-elsewhere", "dao-elsewhere@" + library + "/1.0.0", "dao-elsewhere." + library,
	} {
		wantDeniedNow(t, pod(ns, "kong", request), "annotation "+annotations.Plugins)
	}
	named := pod(ns, "kong", "dao-elsewhere")
	for _, name := range []string{"library", "origin", "copy-of"} {
		named.Annotations[annotations.Prefix+name] = library
	}
	wantDeniedNow(t, named, `no ConfigMap in namespace "`+ns+`" has the label kongdao.io/plugin=dao-elsewhere`)
}

// TestLargestRequestsAreAnswered proves that the webhook answers the largest possible annotation in time under policies
// with patterns, audits and libraries. Otherwise a user who can create pods could block the webhook.
func TestLargestRequestsAreAnswered(t *testing.T) {
	t.Parallel()
	ns, library := restrictedNamespace(t), shared.CreateNamespace(t)
	createPolicy(t, "offers", policySpec{Library: library}, ns)
	createPolicy(t, "audits", policySpec{
		Library: library, Plugins: plugins("dao-1", "dao-2@1"), Allowed: []string{"*1*2*3*4*", "dao-*-*-*"},
		Mode: v1alpha1.Audit,
	}, ns)
	for _, form := range []string{"p%d", "dao-%d", "dao-1-%d@1"} {
		var names []string
		for size := 0; size < 64_000; size += len(names[len(names)-1]) + 1 {
			names = append(names, fmt.Sprintf(form, len(names)))
		}
		wantDeniedNow(t, pod(ns, "kong", strings.Join(names, ",")), "more")
	}
}

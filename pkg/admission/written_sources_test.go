package admission

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
)

// review reviews a ConfigMap that replaces another one, or nil.
func (h *harness) review(t *testing.T, before, after *corev1.ConfigMap) admission.Response {
	t.Helper()
	request := admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID: "7-7-7", Kind: metav1.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Operation: admissionv1.Create,
		Namespace: after.Namespace, Name: after.Name,
	}}
	for raw, configMap := range map[*runtime.RawExtension]*corev1.ConfigMap{
		&request.Object: after, &request.OldObject: before,
	} {
		if configMap == nil {
			continue
		}
		text, err := json.Marshal(configMap)
		if err != nil {
			t.Fatal(err)
		}
		raw.Raw = text
	}
	handler := &Sources{Cluster: h.cluster, Metrics: h.workloads.Metrics, Log: h.log.logger()}
	return (&admission.Webhook{Handler: handler.reviewer()}).Handle(t.Context(), request)
}

// with returns a changed copy of a source.
func with(source *corev1.ConfigMap, change func(changed *corev1.ConfigMap)) *corev1.ConfigMap {
	changed := source.DeepCopy()
	change(changed)
	return changed
}

// TestWrittenSources checks the answers about sources that are created and changed. Package sourcereview has the rules.
func TestWrittenSources(t *testing.T) {
	fine := release("kong", "1.0.0")
	broken := with(fine, func(changed *corev1.ConfigMap) { changed.Data["handler.lua"] = "local H = {}" })
	forced := with(broken, func(changed *corev1.ConfigMap) {
		changed.Annotations = map[string]string{annotations.Force: "true"}
	})
	migrated := v1alpha1.PluginMigration{ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: "m"},
		Spec: v1alpha1.PluginMigrationSpec{Plugins: []v1alpha1.PluginMigrations{{Name: "a", Migrations: []v1alpha1.Migration{
			{Name: "000_base", Digest: "sha256:other"},
		}}}}}
	withMigration := with(fine, func(changed *corev1.ConfigMap) {
		changed.Data["migrations.init.lua"] = `return { "000_base" }`
		changed.Data["migrations.000_base.lua"] = `return { postgres = { up = "SELECT 1" } }`
	})
	for name, test := range map[string]struct {
		before, after *corev1.ConfigMap
		migrations    *fakeMigrations
		denial        string
		warnings      []string
		audit         map[string]string
		reason        string
	}{
		"fine": {after: fine},
		"broken": {
			after:  broken,
			denial: `[handler-table]; to write the ConfigMap anyway, set its annotation kongdao.io/force: "true"`,
			audit:  map[string]string{auditDenial: "BrokenPlugin"},
		},
		"forced": {
			after: forced, warnings: []string{"forced: handler.lua: the file returns nothing"},
			audit: map[string]string{auditForced: "handler-table"}, reason: "the audit log records it",
		},
		"metadata of a broken source": {
			before: broken, after: with(broken, func(changed *corev1.ConfigMap) { changed.Labels["team"] = "a" }),
			reason: "it was accepted before, and a finalizer or a label must not depend on it",
		},
		"edited": {
			before: fine, after: broken, denial: "the file returns nothing",
			audit: map[string]string{auditDenial: "BrokenPlugin"},
		},
		"unlabelled": {
			before: broken, after: with(broken, func(changed *corev1.ConfigMap) { changed.Labels = nil }),
			reason: "it is no longer a source",
		},
		"executed": {
			after: withMigration, migrations: &fakeMigrations{all: []v1alpha1.PluginMigration{migrated}},
			warnings: []string{`migration "000_base" differs from the one that Kong has executed (PluginMigration "kong/m")`},
		},
		"unreadable migrations": {
			after: withMigration, migrations: &fakeMigrations{err: errors.New("the cache is broken")},
			warnings: []string{"kongdao cannot check which migrations Kong has executed: the cache is broken"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			facts := &Cluster{Sources: clusterstate.StaticSources(), Live: &fakeReader{}}
			if test.migrations != nil {
				facts.Migrations = test.migrations
			}
			response := newHarness(t, facts).review(t, test.before, test.after)
			message := ""
			if response.Result != nil {
				message = response.Result.Message
			}
			if response.Allowed != (test.denial == "") || !strings.Contains(message, test.denial) {
				t.Errorf("%s: got %v %q, want %q", test.reason, response.Allowed, message, test.denial)
			}
			if len(response.Warnings) != len(test.warnings) {
				t.Errorf("%s: got warnings %q", test.reason, response.Warnings)
			}
			for i := range min(len(test.warnings), len(response.Warnings)) {
				if !strings.Contains(response.Warnings[i], test.warnings[i]) {
					t.Errorf("got warning %q, want %q", response.Warnings[i], test.warnings[i])
				}
			}
			if diff := cmp.Diff(test.audit, response.AuditAnnotations); diff != "" {
				t.Errorf("audit annotations (-want +got)\n%s", diff)
			}
		})
	}
}

// TestMovedSource checks that a source that moves to another version is a deletion for the pods of the old release.
func TestMovedSource(t *testing.T) {
	before := release("kong", "1.0.0")
	after := with(before, func(changed *corev1.ConfigMap) { changed.Labels[annotations.PluginVersion] = "2.0.0" })
	gateway := deployment("kong", "kong", pinnedTo("a@1.0.0"))
	live := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(gateway).Build()
	h := newHarness(t, &Cluster{Sources: clusterstate.StaticSources(before), Live: live})
	response := h.review(t, before, after)
	want := `new pods of Deployment "kong/kong" are denied`
	if len(response.Warnings) != 1 || !strings.Contains(response.Warnings[0], want) {
		t.Errorf("got warnings %q", response.Warnings)
	}
}

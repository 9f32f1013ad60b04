package chart

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/policycontroller"
	"kongdao.io/kongdao/test/wait"
)

// TestWhatPoliciesBring proves that policies bring these objects and arguments,
// and where they are off, or for a few namespaces alone, none of them; and that
// there is a lease while somebody has to lead, for policies or for migrations.
func TestWhatPoliciesBring(t *testing.T) {
	policies := []string{
		"ClusterRole /kongdao-webhook-policies", "ClusterRoleBinding /kongdao-webhook-policies", "MutatingWebhookConfiguration /kongdao-policies",
		"ValidatingAdmissionPolicy /kongdao-copies", "ValidatingAdmissionPolicyBinding /kongdao-copies",
	}
	lease := []string{"Role kongdao-system/kongdao-webhook-leader", "RoleBinding kongdao-system/kongdao-webhook-leader"}
	// What there is without anything that needs a leader.
	base := render(t, "--set", "policies.enabled=false", "--set", "migrations.enabled=false")
	for name, test := range map[string]struct {
		flags []string
		want  []string
	}{
		"both":                          {nil, slices.Concat(lease, policies)},
		"no migrations":                 {[]string{"migrations.enabled=false"}, slices.Concat(lease, policies)},
		"no policies":                   {[]string{"policies.enabled=false"}, lease},
		"neither":                       {[]string{"policies.enabled=false", "migrations.enabled=false"}, nil},
		"some namespaces":               {[]string{"watchNamespaces={kong}"}, lease},
		"some namespaces, no migration": {[]string{"watchNamespaces={kong}", "migrations.enabled=false"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var flags []string
			for _, value := range test.flags {
				flags = append(flags, "--set", value)
			}
			objects := render(t, flags...)
			brought := map[string]bool{}
			for _, object := range objects {
				brought[key(object)] = true
			}
			for _, object := range base {
				delete(brought, key(object))
			}
			// What migrations and the namespaces' own Roles are called is not for this test.
			maps.DeleteFunc(brought, func(key string, _ bool) bool {
				return strings.HasSuffix(key, "-migrations") || strings.Contains(key, " kong/")
			})
			if diff := cmp.Diff(slices.Sorted(slices.Values(test.want)), slices.Sorted(maps.Keys(brought))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			arguments := find[appsv1.Deployment](t, objects, "Deployment").Spec.Template.Spec.Containers[0].Args
			want := slices.Contains(test.want, policies[0])
			for _, argument := range []string{"--policies", "--copy-retention=600s"} {
				if slices.Contains(arguments, argument) != want {
					t.Errorf("%s: %v, want %v: %q", argument, !want, want, arguments)
				}
			}
		})
	}
}

// TestConfigurationOfPolicies proves that the configuration into which kongdao
// puts a webhook says nothing of webhooks, not even that there are none: so
// whoever applies it leaves alone what is in it. It has the name that the process
// looks for, and labels and annotations as the other one has.
func TestConfigurationOfPolicies(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		main := mainConfiguration(t, objects)
		var found []*unstructured.Unstructured
		for _, object := range objects {
			if object.GetKind() == "MutatingWebhookConfiguration" && object.GetName() != main.Name {
				found = append(found, object)
			}
		}
		if set == "bare" || set == "namespaced" {
			if len(found) > 0 {
				t.Errorf("there are no policies, and there is %s", key(found[0]))
			}
			return
		}
		if len(found) != 1 {
			t.Fatalf("%d MutatingWebhookConfigurations for policies, want one", len(found))
		}
		configuration := found[0]
		if name := main.Name + policycontroller.ConfigurationSuffix; configuration.GetName() != name {
			t.Errorf("it is %s, want %s", configuration.GetName(), name)
		}
		if webhooks, there := configuration.Object["webhooks"]; there {
			t.Errorf("whoever applies it makes webhooks %v", webhooks)
		}
		if diff := cmp.Diff([]map[string]string{main.Labels, main.Annotations}, []map[string]string{configuration.GetLabels(), configuration.GetAnnotations()}); diff != "" {
			t.Errorf("labels and annotations (-main +policies)\n%s", diff)
		}
		arguments := find[appsv1.Deployment](t, objects, "Deployment").Spec.Template.Spec.Containers[0].Args
		if argument := "--webhook-configuration=" + main.Name; !slices.Contains(arguments, argument) {
			t.Errorf("%s is not in %q", argument, arguments)
		}
	})
}

// TestWhoMakesCopies proves that the API server is told to let make copies the
// account that the pods run as, to deny who is not that one, and to deny
// where it cannot tell.
func TestWhoMakesCopies(t *testing.T) {
	check := func(t *testing.T, objects []*unstructured.Unstructured) {
		t.Helper()
		policy := find[admissionregistrationv1.ValidatingAdmissionPolicy](t, objects, "ValidatingAdmissionPolicy")
		account := find[appsv1.Deployment](t, objects, "Deployment").Spec.Template.Spec.ServiceAccountName
		want := fmt.Sprintf("request.userInfo.username == 'system:serviceaccount:%s:%s'", releaseNamespace, account)
		at := slices.IndexFunc(policy.Spec.Variables, func(one admissionregistrationv1.Variable) bool { return one.Name == "isKongdao" })
		if at < 0 || policy.Spec.Variables[at].Expression != want {
			t.Errorf("%+v, want isKongdao to be %s", policy.Spec.Variables, want)
		}
		if policy.Spec.FailurePolicy == nil || *policy.Spec.FailurePolicy != admissionregistrationv1.Fail {
			t.Errorf("failurePolicy %v", policy.Spec.FailurePolicy)
		}
		binding := find[admissionregistrationv1.ValidatingAdmissionPolicyBinding](t, objects, "ValidatingAdmissionPolicyBinding").Spec
		wantBinding := admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: policy.Name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		}
		if diff := cmp.Diff(wantBinding, binding); diff != "" {
			t.Errorf("binding (-want +got)\n%s", diff)
		}
	}
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		if set != "bare" && set != "namespaced" {
			check(t, objects)
			return
		}
		for _, object := range objects {
			if strings.HasPrefix(object.GetKind(), "ValidatingAdmissionPolicy") {
				t.Errorf("nobody makes copies, and there is %s", key(object))
			}
		}
	})
	t.Run("an account that is there", func(t *testing.T) {
		check(t, render(t, "--set", "serviceAccount.create=false", "--set", "serviceAccount.name=gateways"))
	})
}

// TestCopies proves on a real release what the API server makes of that: kongdao,
// with the rights that the chart gives it, makes and deletes copies and no other
// ConfigMap, and nobody else makes one, whoever deletes it.
func TestCopies(t *testing.T) {
	makeNamespaces(t)
	helmOnCluster := func(arguments ...string) {
		t.Helper()
		if _, err := runHelm(t, append(arguments, "--namespace", releaseNamespace)...); err != nil {
			t.Fatal(err)
		}
	}
	helmOnCluster("install", release, chartDir, "--set", "crds.install=false", "--set", "serviceAccount.name=copier")
	defer helmOnCluster("uninstall", release) // at a Cleanup the context that Helm runs in has ended
	as := plane.Config()
	as.Impersonate.UserName = "system:serviceaccount:" + releaseNamespace + ":copier"
	kongdao, err := client.New(as, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	named := func(name string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: name}}
	}
	const nobodyElse, noOther = "kongdao alone makes it", "kongdao makes and deletes only ConfigMaps whose name begins with kongdao-copy-"
	denied := func(err error, why string) error {
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), why) {
			return fmt.Errorf("got %w, want it denied: %s", err, why)
		}
		return nil
	}
	// It takes the API server a moment to know the policy.
	wait.For(t, 30*time.Second, func(ctx context.Context) error {
		return denied(admin.Create(ctx, named("kongdao-copy-a"), client.DryRunAll), nobodyElse)
	})
	generated := named("")
	generated.GenerateName = "kongdao-copy-"
	if err := denied(admin.Create(t.Context(), generated), nobodyElse); err != nil {
		t.Errorf("a name that is generated: %v", err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if err := kongdao.Create(t.Context(), named("kongdao-copy-"+name)); err != nil {
			t.Errorf("kongdao makes a copy: %v", err)
		}
	}
	if err := kongdao.Delete(t.Context(), named("kongdao-copy-a")); err != nil {
		t.Errorf("kongdao deletes a copy: %v", err)
	}
	if err := denied(kongdao.Create(t.Context(), named("own")), noOther); err != nil {
		t.Errorf("kongdao makes another: %v", err)
	}
	if err := admin.Create(t.Context(), named("own")); err != nil {
		t.Errorf("somebody makes another: %v", err)
	}
	if err := denied(kongdao.Delete(t.Context(), named("own")), noOther); err != nil {
		t.Errorf("kongdao deletes another: %v", err)
	}
	if err := admin.Delete(t.Context(), named("kongdao-copy-b")); err != nil {
		t.Errorf("somebody deletes a copy: %v", err)
	}
	// As a namespace's end does.
	if err := admin.DeleteAllOf(t.Context(), named(""), client.InNamespace("kong")); err != nil {
		t.Errorf("somebody deletes all: %v", err)
	}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(named("kongdao-copy-c")), named("")); !apierrors.IsNotFound(err) {
		t.Errorf("the last copy: %v", err)
	}

	// What the API server's own check of types says of the expressions.
	checked := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	wait.For(t, 30*time.Second, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKey{Name: "kongdao-copies"}, checked); err != nil {
			return err
		}
		if checked.Status.TypeChecking == nil {
			return errors.New("the types are not checked yet")
		}
		return nil
	})
	if warnings := checked.Status.TypeChecking.ExpressionWarnings; len(warnings) > 0 {
		t.Errorf("of the expressions: %v", warnings)
	}
}

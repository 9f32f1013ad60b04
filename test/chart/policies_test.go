package chart

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"kongdao.io/kongdao/pkg/policy"
)

// TestPoliciesAreOptional proves that policies add these objects and arguments. Without policies, or with
// watchNamespaces, none of them exist. The controller exists if there are policies or migrations.
func TestPoliciesAreOptional(t *testing.T) {
	policies := []string{
		"ClusterRole /kongdao-webhook-policies",
		"ClusterRoleBinding /kongdao-webhook-policies",
		"ClusterRole /kongdao-controller-policies",
		"ClusterRoleBinding /kongdao-controller-policies",
		"MutatingWebhookConfiguration /kongdao-policies",
		"ValidatingAdmissionPolicy /kongdao-copies",
		"ValidatingAdmissionPolicyBinding /kongdao-copies",
	}
	policies = slices.Concat(policies, admissionPolicies("controller-webhooks", "webhook-pluginpolicies"))
	migrations := admissionPolicies("controller-job-deletions", "controller-jobs", "controller-pluginmigrations")
	controllerObjects := []string{
		"Deployment kongdao-system/kongdao-controller",
		"PodDisruptionBudget kongdao-system/kongdao-controller",
		"Role kongdao-system/kongdao-controller-leader",
		"RoleBinding kongdao-system/kongdao-controller-leader",
		"Service kongdao-system/kongdao-controller",
		"ServiceAccount kongdao-system/kongdao-controller",
	}
	controllerObjects = append(controllerObjects, admissionPolicies("controller-pods")...)
	clusterWide := []string{"ClusterRole /kongdao-controller", "ClusterRoleBinding /kongdao-controller"}
	// The objects that do not depend on policies or migrations.
	base := render(t, "--set", "policies.enabled=false", "--set", "migrations.enabled=false")
	for name, test := range map[string]struct {
		flags []string
		want  []string
	}{
		"policies and migrations": {nil, slices.Concat(policies, migrations, controllerObjects, clusterWide)},
		"only policies": {
			[]string{"migrations.enabled=false"}, slices.Concat(policies, controllerObjects, clusterWide),
		},
		"only migrations": {
			[]string{"policies.enabled=false"}, slices.Concat(migrations, controllerObjects, clusterWide),
		},
		"neither": {[]string{"policies.enabled=false", "migrations.enabled=false"}, nil},
		"one namespace": {
			[]string{"watchNamespaces={kong}"}, slices.Concat(migrations, controllerObjects),
		},
		"one namespace without migrations": {[]string{"watchNamespaces={kong}", "migrations.enabled=false"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var flags []string
			for _, value := range test.flags {
				flags = append(flags, "--set", value)
			}
			objects := render(t, flags...)
			added := map[string]bool{}
			for _, object := range objects {
				added[key(object)] = true
			}
			for _, object := range base {
				delete(added, key(object))
			}
			// Other tests cover the roles for migrations, and the Roles in watchNamespaces.
			maps.DeleteFunc(added, func(key string, _ bool) bool {
				return strings.HasSuffix(key, "-migrations") || strings.Contains(key, " kong/")
			})
			if diff := cmp.Diff(slices.Sorted(slices.Values(test.want)), slices.Sorted(maps.Keys(added))); diff != "" {
				t.Errorf("added objects (-want +got)\n%s", diff)
			}
			arguments := controller.arguments(t, objects)
			want := slices.Contains(test.want, policies[0])
			for _, argument := range []string{"--policies", "--copy-retention=600s"} {
				if got := slices.Contains(arguments, argument); got != want {
					t.Errorf("%q contain %s: %v, want %v", arguments, argument, got, want)
				}
			}
		})
	}
}

// admissionPolicies returns the keys of ValidatingAdmissionPolicies and their bindings.
func admissionPolicies(names ...string) []string {
	var keys []string
	for _, name := range names {
		keys = append(keys, "ValidatingAdmissionPolicy /kongdao-"+name, "ValidatingAdmissionPolicyBinding /kongdao-"+name)
	}
	return keys
}

// TestPolicyConfigurationHasNoWebhooksField proves that the configuration for policies omits the field webhooks, so
// that applying it does not remove the webhook that kongdao adds. It also proves the configuration's name, labels and
// annotations.
func TestPolicyConfigurationHasNoWebhooksField(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		main := findMainConfiguration(t, objects)
		var configurations []*unstructured.Unstructured
		for _, object := range objects {
			if object.GetKind() == "MutatingWebhookConfiguration" && object.GetName() != main.Name {
				configurations = append(configurations, object)
			}
		}
		if set == "bare" || set == "namespaced" {
			if len(configurations) > 0 {
				t.Errorf("policies are disabled, but %s exists", key(configurations[0]))
			}
			return
		}
		if len(configurations) != 1 {
			t.Fatalf("got %d MutatingWebhookConfigurations for policies, want one", len(configurations))
		}
		configuration := configurations[0]
		if want := main.Name + policy.ConfigurationSuffix; configuration.GetName() != want {
			t.Errorf("the name is %s, want %s", configuration.GetName(), want)
		}
		if webhooks, ok := configuration.Object["webhooks"]; ok {
			t.Errorf("the field webhooks is %v, want none", webhooks)
		}
		want := []map[string]string{main.Labels, main.Annotations}
		got := []map[string]string{configuration.GetLabels(), configuration.GetAnnotations()}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("labels and annotations (-main +policies)\n%s", diff)
		}
		arguments := controller.arguments(t, objects)
		if argument := "--webhook-configuration=" + main.Name; !slices.Contains(arguments, argument) {
			t.Errorf("%q do not contain %s", arguments, argument)
		}
	})
}

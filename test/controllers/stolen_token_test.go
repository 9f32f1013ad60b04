package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/installation"
)

// These tests do what an attacker with the token of one of kongdao's accounts can try. All requests are dry runs: API
// servers authorize and admit them in the same way. The other tests of this package prove that the controllers work
// under the same ValidatingAdmissionPolicies.

// stolenToken returns a client with the name and the rights of a user.
func stolenToken(t *testing.T, user string) client.Client {
	t.Helper()
	config := rest.CopyConfig(plane.Config())
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	thief, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return client.NewDryRunClient(thief)
}

// try waits until a request has the wanted result: a denial whose message contains want, or success if want is empty.
// It waits because an API server needs some time to notice a new policy, and because others change the same objects.
func try(t *testing.T, want string, request func(ctx context.Context) error) {
	t.Helper()
	cluster.Eventually(t, func(ctx context.Context) error {
		err := request(ctx)
		switch {
		case want == "":
			return err
		case err == nil:
			return errors.New("the request is allowed")
		case !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want):
			return fmt.Errorf("no denial with %q: %w", want, err)
		}
		return nil
	})
}

// TestStolenTokenPods proves what the controller's account can change in a pod: it can remove kongdao's own scheduling
// gates, and nothing else.
func TestStolenTokenPods(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	waiting := pod(ns, "kong", "dao-test@1.0.0")
	waiting.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: "example.com/quota"}}
	plain := pod(ns, "plain", "")
	shared.Create(t, waiting, plain)
	const onlyGates, ownGates = "kongdao can change only its scheduling gates", "only its own scheduling gates"
	existing, err := json.Marshal(plain.Spec.Tolerations)
	if err != nil {
		t.Fatal(err)
	}
	tolerations := strings.Trim(string(existing), "[]") // the API server denies to remove one
	const ours = `{"spec":{"schedulingGates":[{"$patch":"delete","name":"kongdao.io/migrations"}]}`
	for name, test := range map[string]struct {
		pod         *corev1.Pod
		patch, want string
	}{
		"our gate":            {waiting, ours + `}`, ""},
		"our gate with UID":   {waiting, ours + `,"metadata":{"uid":"` + string(waiting.UID) + `"}}`, ""},
		"our gate and labels": {waiting, ours + `,"metadata":{"labels":{"app":"x"}}}`, onlyGates},
		"the gate of others": {
			waiting, `{"spec":{"schedulingGates":[{"$patch":"delete","name":"example.com/quota"}]}}`, ownGates,
		},
		"all gates":   {waiting, `{"spec":{"schedulingGates":null}}`, ownGates},
		"labels":      {plain, `{"metadata":{"labels":{"app":"x"}}}`, onlyGates},
		"annotations": {plain, `{"metadata":{"annotations":{"kongdao.io/injection":"{}"}}}`, onlyGates},
		"finalizers":  {plain, `{"metadata":{"finalizers":["example.com/x"]}}`, onlyGates},
		"owners": {
			plain, `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"x","uid":"1"}]}}`, onlyGates,
		},
		"an image":      {plain, `{"spec":{"containers":[{"name":"proxy","image":"example.com/x"}]}}`, onlyGates},
		"a toleration":  {plain, `{"spec":{"tolerations":[` + tolerations + `,{"operator":"Exists"}]}}`, onlyGates},
		"a deadline":    {plain, `{"spec":{"activeDeadlineSeconds":1}}`, onlyGates},
		"the scheduler": {waiting, `{"spec":{"nodeSelector":{"a":"b"}}}`, onlyGates},
	} {
		t.Run(name, func(t *testing.T) {
			thief := stolenToken(t, installation.ControllerUser)
			try(t, test.want, func(ctx context.Context) error {
				return thief.Patch(ctx, test.pod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(test.patch)))
			})
		})
	}
}

// TestStolenTokenMigrations proves which PluginMigrations the controller's account can create and delete.
func TestStolenTokenMigrations(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	shared.Create(t, pod(ns, "kong", "dao-test@1.0.0"))
	existing := migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseMigrating)
	const noLabel, noMetadata = "with the label kongdao.io/database", "without annotations, finalizers and owners"
	const excluded = "kongdao does not work in this namespace"
	for name, test := range map[string]struct {
		change func(*v1alpha1.PluginMigration)
		want   string
	}{
		"as the controller does": {func(*v1alpha1.PluginMigration) {}, ""},
		"no label":               {func(m *v1alpha1.PluginMigration) { m.Labels = nil }, noLabel},
		"another database":       {func(m *v1alpha1.PluginMigration) { m.Labels[annotations.Database] = "x" }, noLabel},
		"an override": {
			func(m *v1alpha1.PluginMigration) {
				m.Annotations = map[string]string{annotations.IgnoreForeignPods: "true"}
			}, noMetadata,
		},
		"a finalizer":         {func(m *v1alpha1.PluginMigration) { m.Finalizers = []string{"example.com/x"} }, noMetadata},
		"kube-system":         {func(m *v1alpha1.PluginMigration) { m.Namespace = metav1.NamespaceSystem }, excluded},
		"kongdao's namespace": {func(m *v1alpha1.PluginMigration) { m.Namespace = system }, excluded},
	} {
		t.Run(name, func(t *testing.T) {
			thief := stolenToken(t, installation.ControllerUser)
			try(t, test.want, func(ctx context.Context) error {
				made := &v1alpha1.PluginMigration{
					ObjectMeta: metav1.ObjectMeta{
						Namespace: ns, Name: "new", Labels: map[string]string{annotations.Database: existing.Spec.Database.Key},
					},
					Spec: *existing.Spec.DeepCopy(),
				}
				test.change(made)
				return thief.Create(ctx, made)
			})
		})
	}
	t.Run("delete", func(t *testing.T) {
		thief := stolenToken(t, installation.ControllerUser)
		foreign := &v1alpha1.PluginMigration{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "foreign"}, Spec: existing.Spec,
		}
		shared.Create(t, foreign)
		try(t, noLabel, func(ctx context.Context) error { return thief.Delete(ctx, foreign) })
		try(t, "", func(ctx context.Context) error { return thief.Delete(ctx, existing) })
	})
}

// TestStolenTokenOtherRequests proves that the accounts have no rights with which an attacker could get around the
// policies, or that only the other process needs. The tests of the chart prove the complete list of rights.
func TestStolenTokenOtherRequests(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	for user, requests := range map[string][]string{
		installation.ControllerUser: {
			"create pods", "update pods", "delete pods", "create pods/exec", "patch pods/ephemeralcontainers",
			"patch pods/resize", "create pods/binding", "create pods/eviction", "patch pods/status",
			"update jobs.batch", "patch jobs.batch", "deletecollection jobs.batch", "patch jobs.batch/status",
			"create cronjobs.batch",
			"create deployments.apps", "update configmaps", "patch configmaps", "deletecollection configmaps",
			"update pluginmigrations.kongdao.io", "patch pluginmigrations.kongdao.io", "create pluginpolicies.kongdao.io",
			"update pluginpolicies.kongdao.io", "get secrets", "list secrets", "create secrets",
			"create serviceaccounts/token",
		},
		installation.WebhookUser: {
			"create jobs.batch", "get pods", "watch pods", "patch pods", "get configmaps", "create configmaps",
			"delete configmaps",
			"create pluginmigrations.kongdao.io", "update pluginmigrations.kongdao.io/status",
			"update pluginpolicies.kongdao.io", "create serviceaccounts/token", "create leases.coordination.k8s.io",
		},
	} {
		for _, request := range append(requests, clusterRequests()...) {
			verb, resource, _ := strings.Cut(request, " ")
			resource, subresource, _ := strings.Cut(resource, "/")
			resource, group, _ := strings.Cut(resource, ".")
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: ns, Verb: verb, Group: group, Resource: resource, Subresource: subresource,
				},
			}}
			shared.Create(t, review)
			if review.Status.Allowed {
				t.Errorf("%s may %s: %s", user, request, review.Status.Reason)
			}
		}
	}
}

// clusterRequests returns requests with which an account could remove the policies, or get the rights of others.
func clusterRequests() []string {
	requests := []string{
		"impersonate users", "impersonate serviceaccounts", "update namespaces", "patch namespaces", "create namespaces",
		"approve signers.certificates.k8s.io", "create certificatesigningrequests.certificates.k8s.io",
	}
	for _, resource := range []string{
		"roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io",
		"clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io",
		"validatingadmissionpolicies.admissionregistration.k8s.io",
		"validatingadmissionpolicybindings.admissionregistration.k8s.io",
		"mutatingadmissionpolicies.admissionregistration.k8s.io",
		"validatingwebhookconfigurations.admissionregistration.k8s.io",
		"mutatingwebhookconfigurations.admissionregistration.k8s.io",
		"customresourcedefinitions.apiextensions.k8s.io",
	} {
		for _, verb := range []string{"create", "update", "patch", "delete", "deletecollection", "escalate", "bind"} {
			requests = append(requests, verb+" "+resource)
		}
	}
	return requests
}

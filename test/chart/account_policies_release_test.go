package chart

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/wait"
)

// TestAccountPoliciesOfARelease proves on a real release what the tests of the controllers cannot. They have no Service
// and no selector for namespaces. It also proves that the type checker has no warnings about the expressions.
func TestAccountPoliciesOfARelease(t *testing.T) {
	createNamespaces(t)
	flags := []string{"--set", "rollouts.enabled=true,prune.enabled=true",
		"--set", "webhook.namespaceSelector.matchLabels.team=gateways", "--set-json",
		`webhook.namespaceSelector.matchExpressions=[{"key":"stage","operator":"NotIn","values":["test","old"]},` +
			`{"key":"stage","operator":"In","values":["live"]},{"key":"stage","operator":"Exists"},` +
			`{"key":"kongdao.example.com/off","operator":"DoesNotExist"}]`}
	runHelmOrFail(t, append([]string{"install", release, chartDir}, flags...)...)
	defer runHelmOrFail(t, "uninstall", release) // Not in t.Cleanup, because Helm runs with the context of the test.
	for name := range accountPolicies(t, render(t, "--set", "rollouts.enabled=true,prune.enabled=true")) {
		checkPolicyTypes(t, name)
	}
	controller := accountClient(t, "kongdao-controller")
	t.Run("Service", func(t *testing.T) { testServiceOfWebhook(t, controller) })
	t.Run("namespaces", func(t *testing.T) { testNamespacesOfJobs(t, controller) })
	t.Run("releases", func(t *testing.T) { testDeletionsOfReleases(t, controller) })
	t.Run("workloads", func(t *testing.T) { testChangesOfWorkloads(t, controller) })
}

// testDeletionsOfReleases proves that the controller can delete only copies and immutable sources.
func testDeletionsOfReleases(t *testing.T, controller client.Client) {
	const onlyThese = "can delete only its copies, and immutable ConfigMaps"
	for name, test := range map[string]struct {
		namespace string
		labels    map[string]string
		immutable *bool
		message   string
	}{
		"immutable source":  {"live", map[string]string{"kongdao.io/plugin": "a"}, new(true), ""},
		"mutable source":    {"live", map[string]string{"kongdao.io/plugin": "a"}, nil, onlyThese},
		"other ConfigMap":   {"live", nil, new(true), onlyThese},
		"another namespace": {"test", map[string]string{"kongdao.io/plugin": "a"}, new(true), "does not delete releases in"},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				GenerateName: "releases-", Labels: map[string]string{"team": "gateways", "stage": test.namespace},
			}}
			if err := admin.Create(t.Context(), namespace); err != nil {
				t.Fatal(err)
			}
			deleteAtEnd(t, namespace)
			source := &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "source", Labels: test.labels},
				Immutable:  test.immutable,
			}
			if err := admin.Create(t.Context(), source); err != nil {
				t.Fatal(err)
			}
			wantResult(t, test.message, func(ctx context.Context) error { return controller.Delete(ctx, source) })
		})
	}
}

// testChangesOfWorkloads proves that the controller can change only the annotations that move a workload.
func testChangesOfWorkloads(t *testing.T, controller client.Client) {
	const onlyOwn, onlyTemplate = "can change only the annotations kongdao.io/rolled-out",
		"can change only the annotations kongdao.io/releases"
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "workloads-", Labels: map[string]string{"team": "gateways", "stage": "live"},
	}}
	if err := admin.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	deleteAtEnd(t, namespace)
	labels := map[string]string{"app": "kong"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "kong"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}},
			},
		},
	}
	if err := admin.Create(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	set := func(annotations *map[string]string, name string) {
		metadata := metav1.ObjectMeta{Annotations: *annotations}
		metav1.SetMetaDataAnnotation(&metadata, name, "x")
		*annotations = metadata.Annotations
	}
	for name, test := range map[string]struct {
		change  func(*appsv1.Deployment)
		message string
	}{
		"a move": {func(d *appsv1.Deployment) {
			set(&d.Annotations, "kongdao.io/rolled-out")
			set(&d.Annotations, "kongdao.io/previous-releases")
			set(&d.Spec.Template.Annotations, "kongdao.io/release-digests")
		}, ""},
		"another annotation": {func(d *appsv1.Deployment) { set(&d.Annotations, "example.com/x") }, onlyOwn},
		"a label":            {func(d *appsv1.Deployment) { d.Labels = labels }, onlyOwn},
		"another annotation of the template": {
			func(d *appsv1.Deployment) { set(&d.Spec.Template.Annotations, "example.com/x") }, onlyTemplate,
		},
		"an image":  {func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "attacker" }, onlyTemplate},
		"a replica": {func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(9)) }, onlyTemplate},
		"a template label": {
			func(d *appsv1.Deployment) { d.Spec.Template.Labels = map[string]string{"app": "kong", "x": "y"} }, onlyTemplate,
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantResult(t, test.message, func(ctx context.Context) error {
				changed := deployment.DeepCopy()
				if err := admin.Get(ctx, client.ObjectKeyFromObject(deployment), changed); err != nil {
					return err
				}
				before := changed.DeepCopy()
				test.change(changed)
				return controller.Patch(ctx, changed, client.MergeFrom(before))
			})
		})
	}
}

// accountClient returns a client for dry runs with the name and the rights of a service account of the release.
func accountClient(t *testing.T, account string) client.Client {
	t.Helper()
	config := plane.Config()
	config.Impersonate.UserName = "system:serviceaccount:" + releaseNamespace + ":" + account
	made, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return client.NewDryRunClient(made)
}

// wantResult waits until a request is denied with a message, or succeeds if the message is empty.
func wantResult(t *testing.T, message string, request func(ctx context.Context) error) {
	t.Helper()
	wait.For(t, 30*time.Second, func(ctx context.Context) error {
		if err := request(ctx); err == nil || message == "" {
			return err
		} else if denial := wantDenial(err, message); denial != nil {
			return denial
		}
		return nil
	})
}

// testServiceOfWebhook proves that the controller's webhook calls the Service of the release.
func testServiceOfWebhook(t *testing.T, controller client.Client) {
	const onlyOurs = "only a webhook that calls kongdao's Service"
	type service = admissionregistrationv1.ServiceReference
	for name, test := range map[string]struct {
		change  func(*service)
		message string
	}{
		"ours":              {func(*service) {}, ""},
		"another namespace": {func(s *service) { s.Namespace = "default" }, onlyOurs},
		"another Service":   {func(s *service) { s.Name = "attacker" }, onlyOurs},
		"another path":      {func(s *service) { s.Path = new("/") }, onlyOurs},
		"another port":      {func(s *service) { s.Port = new(int32(80)) }, onlyOurs},
	} {
		t.Run(name, func(t *testing.T) {
			main, err := getConfiguration(t.Context(), mainConfiguration)
			if err != nil {
				t.Fatal(err)
			}
			webhook := main.Webhooks[0]
			webhook.Name = "policies.kongdao.io"
			test.change(webhook.ClientConfig.Service)
			wantResult(t, test.message, func(ctx context.Context) error {
				configuration, err := getConfiguration(ctx, policyConfiguration)
				if err != nil {
					return err
				}
				configuration.Webhooks = []admissionregistrationv1.MutatingWebhook{webhook}
				return controller.Update(ctx, configuration)
			})
		})
	}
}

// testNamespacesOfJobs proves that the policies have the same definition of excluded namespaces as the webhooks.
func testNamespacesOfJobs(t *testing.T, controller client.Client) {
	for name, test := range map[string]struct {
		labels map[string]string
		works  bool
	}{
		"selected":      {map[string]string{"team": "gateways", "stage": "live"}, true},
		"no labels":     {nil, false},
		"another team":  {map[string]string{"team": "others", "stage": "live"}, false},
		"another stage": {map[string]string{"team": "gateways", "stage": "test"}, false},
		"no stage":      {map[string]string{"team": "gateways"}, false},
		"off": {
			map[string]string{"team": "gateways", "stage": "live", "kongdao.example.com/off": "yes"}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "selector-", Labels: test.labels}}
			if err := admin.Create(t.Context(), namespace); err != nil {
				t.Fatal(err)
			}
			deleteAtEnd(t, namespace)
			message := ""
			if !test.works {
				message = "kongdao does not work in this namespace"
			}
			wantResult(t, message, func(ctx context.Context) error {
				return controller.Create(ctx, migrationJob(namespace.Name))
			})
		})
	}
}

// migrationJob returns a Job like those of the controller.
func migrationJob(namespace string) *batchv1.Job {
	labels := map[string]string{
		"app.kubernetes.io/managed-by": "kongdao", "app.kubernetes.io/component": "migrations",
		"kongdao.io/migration": "dao-test-1", "kongdao.io/step": "up", "kongdao.io/attempt": "1",
		"kongdao.io/database": "0123456789abcdef",
	}
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "dao-test-1-up", Labels: labels,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "kongdao.io/v1alpha1", Kind: "PluginMigration", Name: "dao-test-1", UID: "1", Controller: new(true),
			}},
		},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: maps.Clone(labels)},
			Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "kong-migrations", Image: "kong"}},
			},
		}},
	}
}

// checkPolicyTypes proves that the API server's type checker has no warnings about the expressions of a policy.
func checkPolicyTypes(t *testing.T, name string) {
	t.Helper()
	policy := &admissionPolicy{}
	wait.For(t, 30*time.Second, func(ctx context.Context) error {
		if err := admin.Get(ctx, client.ObjectKey{Name: name}, policy); err != nil {
			return err
		}
		if policy.Status.TypeChecking == nil {
			return errors.New("the API server has not checked the types yet")
		}
		return nil
	})
	if warnings := policy.Status.TypeChecking.ExpressionWarnings; len(warnings) > 0 {
		t.Errorf("the type checker warns about the expressions of %s: %v", name, warnings)
	}
}

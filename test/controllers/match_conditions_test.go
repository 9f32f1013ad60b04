package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/goldens"
	"kongdao.io/kongdao/test/installation"
)

const (
	podsWebhook     = "pods.kongdao.io"
	policiesWebhook = "policies.kongdao.io"
)

// TestMatchConditionsAgreeWithTheCode proves that an API server calls the webhooks for exactly the pods that the code
// decides about. The pods are the test pods of package mutate, and generated ones.
func TestMatchConditionsAgreeWithTheCode(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createPolicy(t, "gives", policySpec{Plugins: plugins(quiet)}, ns)
	registerUnreachableCopies(t, ns)
	called := map[string]int{}
	check := func(name string, pod corev1.Pod) {
		t.Helper()
		pod.Namespace, pod.Name = ns, "kong"
		text, err := json.Marshal(pod)
		if err != nil {
			t.Fatal(err)
		}
		view, err := mutate.DecodePod(text)
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if _, requests := pod.Annotations[annotations.Plugins]; requests {
			want = podsWebhook
		} else if mutate.IsKong(view) {
			want = policiesWebhook
		}
		_, err = createDryRun(t.Context(), &pod)
		if got := calledWebhook(err); got != want {
			t.Errorf("%s: the API server calls %q (%v), want %q for %s", name, got, err, want, text)
		}
		called[want]++
	}
	for _, c := range goldens.Cases(t, filepath.Join(installation.ProjectRoot(), "pkg", "mutate", "testdata")) {
		var pod corev1.Pod
		if err := json.Unmarshal(c.Pod, &pod); err != nil {
			continue // the API server does not accept it either
		}
		pod.Spec.ServiceAccountName = ""
		check(c.Name, corev1.Pod{Spec: pod.Spec})
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // G404: the pods must be the same in each run
	for i := range 500 {
		check(fmt.Sprintf("generated pod %d", i), generatedPod(random))
	}
	t.Logf("called webhooks: %v", called)
	if called[""] < 100 || called[podsWebhook] < 100 || called[policiesWebhook] < 100 {
		t.Errorf("too few pods for each result to prove anything: %v", called)
	}
}

// registerUnreachableCopies registers copies of the installation's webhooks for the pods of a namespace. Nothing
// listens at their URL, so the error of a creation names the webhook that the API server called.
func registerUnreachableCopies(t *testing.T, namespace string) {
	t.Helper()
	var list admissionregistrationv1.MutatingWebhookConfigurationList
	if err := webhook.Admin.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	copies := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{
		Name: "a-copy-" + namespace, // the API server calls webhooks in the order of these names
	}}
	for _, configuration := range list.Items {
		for _, original := range configuration.Webhooks {
			if original.Name != podsWebhook && original.Name != policiesWebhook {
				continue
			}
			url, fail := "https://127.0.0.1:1/"+original.Name, admissionregistrationv1.Fail
			original.ClientConfig = admissionregistrationv1.WebhookClientConfig{URL: &url}
			original.FailurePolicy, original.ObjectSelector = &fail, nil
			original.NamespaceSelector = &metav1.LabelSelector{
				MatchLabels: map[string]string{corev1.LabelMetadataName: namespace},
			}
			copies.Webhooks = append(copies.Webhooks, original)
		}
	}
	if len(copies.Webhooks) != 2 {
		t.Fatalf("found %d webhooks for pods, want %q and %q", len(copies.Webhooks), podsWebhook, policiesWebhook)
	}
	shared.Create(t, copies)
	t.Cleanup(func() {
		if err := webhook.Admin.Delete(context.Background(), copies); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	})
	cluster.Eventually(t, func(ctx context.Context) error {
		if _, err := createDryRun(ctx, kongPod(namespace, "kong")); calledWebhook(err) == "" {
			return errors.New("the API server does not call the copies yet")
		}
		return nil
	})
}

// calledWebhook returns the webhook that an error says is unreachable, "" if there is none.
func calledWebhook(err error) string {
	for _, name := range []string{podsWebhook, policiesWebhook} {
		if err != nil && strings.Contains(err.Error(), fmt.Sprintf("failed calling webhook %q", name)) {
			return name
		}
	}
	return ""
}

// generatedPod returns a pod with random images and variables, which are similar to those of Kong.
func generatedPod(random *rand.Rand) corev1.Pod {
	images := []string{
		"kong", "kong:3.9", "registry.example.com:5000/a/kong-gateway@sha256:abc", "kong/kong-gateway:3.9:x", "kong:3/9",
		"kong-x:1", "a/mykong", "kong/deck", "KONG", "app", "", "a/kubernetes-ingress-controller:3", "kong-operator",
		"gateway-operator-oss@sha256:abc", "kong-operator/x", "kong\n",
	}
	variables := []string{
		"KONG_DATABASE", "KONG_PG_HOST", "KONG_PG_", "KONG_NGINX_DAEMON", "KONG_PLUGINS", "KONG_PREFIX", "KONG_LOG_LEVEL",
		"KONG_ADMIN_URL", "KONG_ADDR", "KONG_PGHOST", "KONG_ROLES", "kong_database", "KONGDAO_KONG_PLUGINS", "HOME",
		"CONTROLLER_KONG_ADMIN_URL", "KONG_STATUS_LISTEN",
	}
	containers := func(n int) (list []corev1.Container) {
		for i := range n {
			container := corev1.Container{Name: fmt.Sprintf("c%d", i), Image: images[random.IntN(len(images))]}
			for range random.IntN(4) {
				container.Env = append(container.Env, corev1.EnvVar{Name: variables[random.IntN(len(variables))]})
			}
			list = append(list, container)
		}
		return list
	}
	pod := corev1.Pod{Spec: corev1.PodSpec{
		Containers: containers(1 + random.IntN(2)), InitContainers: containers(random.IntN(2)),
	}}
	if random.IntN(3) == 0 {
		pod.Annotations = map[string]string{annotations.Plugins: []string{"", " ", "a", "a,b"}[random.IntN(4)]}
	}
	return pod
}

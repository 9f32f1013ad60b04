package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/fixtures"
	"kongdao.io/kongdao/test/installation"
	"kongdao.io/kongdao/test/wait"
)

// scale is the cluster of BenchmarkScale. It has its own control plane, because kongdao runs with all features.
type scale struct {
	webhook    *installation.Webhook
	controller *installation.Program
	client     *reviewClient
	kubelet    *kubelet
	library    string
	namespaces []string
	// generation distinguishes the databases of the rollouts.
	generation int
}

// startScale starts the cluster with the library, the namespaces and the policies, but without pods.
func startScale(b *testing.B) *scale {
	b.Helper()
	const system = "kongdao-system"
	dir := b.TempDir()
	plane, err := controlplane.Start(b.Context(), controlplane.Options{
		Assets: os.Getenv("KUBEBUILDER_ASSETS"), Log: os.Stderr,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			b.Error(err)
		}
	})
	if err := v1alpha1.AddToScheme(scheme.Scheme); err != nil {
		b.Fatal(err)
	}
	s := &scale{}
	createSystemNamespace(b, plane, system)
	controller, err := installation.Build(b.Context(), "controller", dir, releaseFlags()...)
	if err != nil {
		b.Fatal(err)
	}
	programs := installation.Programs{Webhook: shared.program, Controller: controller}
	s.webhook, s.controller, err = installation.StartWithFeatures(b.Context(), plane, programs, dir, system,
		[]string{"migrations", "policies"}, "--log-level=error")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(s.webhook.Kill(), s.controller.Kill()); err != nil {
			b.Error(err)
		}
	})
	if s.client, err = newReviewClient(plane.CA()); err != nil {
		b.Fatal(err)
	}
	s.createNamespaces(b)
	s.kubelet = startKubelet(b, s.webhook.Admin)
	s.waitForStatuses(b, 0)
	return s
}

// processes returns the webhook and the controller.
func (s *scale) processes() []*installation.Program {
	return []*installation.Program{&s.webhook.Program, s.controller}
}

func createSystemNamespace(b *testing.B, plane *controlplane.ControlPlane, name string) {
	b.Helper()
	admin, err := newAdmin(plane)
	if err == nil {
		err = admin.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	if err != nil {
		b.Fatal(err)
	}
}

// probeNamespace is the namespace of the pods whose admission is measured. It has a policy and no pods.
const probeNamespace = "probe"

// createNamespaces creates the library with the plugin, and the namespaces with a policy each.
func (s *scale) createNamespaces(b *testing.B) {
	b.Helper()
	s.library = "library"
	s.namespaces = make([]string, scaled(b, scaleNamespaces))
	for i := range s.namespaces {
		s.namespaces[i] = fmt.Sprintf("team-%d", i)
	}
	selected := append([]string{probeNamespace}, s.namespaces...)
	for _, name := range append([]string{s.library}, selected...) {
		err := s.webhook.Admin.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		if err != nil {
			b.Fatal(err)
		}
	}
	sources, err := fixtures.Sources(s.library)
	if err != nil {
		b.Fatal(err)
	}
	for i := range sources {
		if err := s.webhook.Admin.Create(b.Context(), &sources[i]); err != nil {
			b.Fatal(err)
		}
	}
	err = cluster.InParallel(workers, len(selected), func(i int) error {
		return s.webhook.Admin.Create(b.Context(), &v1alpha1.PluginPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: selected[i]},
			Spec: v1alpha1.PluginPolicySpec{
				Plugins: []v1alpha1.PolicyPlugin{{Name: fixtures.Plugin}}, Library: s.library,
				NamespaceSelector: &metav1.LabelSelector{
					MatchLabels: map[string]string{corev1.LabelMetadataName: selected[i]},
				},
			},
		})
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range selected {
		s.waitForPods(b, name)
	}
}

// waitForPods waits until the API server accepts Kong pods in a namespace and calls kongdao for them.
func (s *scale) waitForPods(b *testing.B, namespace string) {
	b.Helper()
	wait.For(b, 2*time.Minute, func(ctx context.Context) error {
		probe := s.pod(0)
		probe.Namespace = namespace
		if err := s.webhook.Admin.Create(ctx, probe, dryRun()); err != nil {
			return err
		}
		if len(probe.Spec.SchedulingGates) == 0 {
			return fmt.Errorf("a pod of namespace %q does not get the plugin", namespace)
		}
		return nil
	})
}

// pod returns a Kong pod without an annotation. Pods are distributed over the namespaces, and these over the databases.
func (s *scale) pod(i int) *corev1.Pod {
	namespace := i % len(s.namespaces)
	databases := max(scaleDatabases*len(s.namespaces)/scaleNamespaces, 1)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespaces[namespace], Name: fmt.Sprintf("kong-%d", i), Labels: map[string]string{"app": "kong"},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "proxy", Image: "kong:3.9", Env: []corev1.EnvVar{
				{Name: "KONG_DATABASE", Value: "postgres"},
				{Name: "KONG_PG_HOST", Value: fmt.Sprintf("postgres-%d.generation-%d", namespace%databases, s.generation)},
			},
		}}},
	}
}

// waitForStatuses waits until the statuses of all policies count all pods.
func (s *scale) waitForStatuses(b *testing.B, pods int) {
	b.Helper()
	wait.For(b, 10*time.Minute, func(ctx context.Context) error {
		var policies v1alpha1.PluginPolicyList
		if err := s.webhook.Admin.List(ctx, &policies); err != nil {
			return err
		}
		counted := 0
		for i := range policies.Items {
			counted += int(policies.Items[i].Status.Pods)
		}
		if counted != pods {
			return fmt.Errorf("the statuses count %d pods, want %d", counted, pods)
		}
		return nil
	})
}

// admissionTime returns the median time of the admission of a pod, compared to a webhook that does nothing. Both answer
// in turns, because the speed of the machine changes.
func (s *scale) admissionTime(b *testing.B) float64 {
	b.Helper()
	const rounds, reviews = 20, 500
	review := probeReview(b, s.pod(0))
	var ratios []float64
	for range rounds {
		kongdao := medianTime(b, s.client, s.webhook.URL("/mutate/pods"), review, reviews)
		noop := medianTime(b, shared.client, shared.noop.url("/noop"), review, reviews)
		ratios = append(ratios, kongdao/noop)
	}
	return median(ratios)
}

// medianTime sends a review several times, and returns the median of the times in seconds.
func medianTime(b *testing.B, client *reviewClient, url string, review []byte, reviews int) float64 {
	b.Helper()
	seconds := make([]float64, reviews)
	for i := range seconds {
		start := time.Now()
		if _, err := client.post(b.Context(), url, review); err != nil {
			b.Fatal(err)
		}
		seconds[i] = time.Since(start).Seconds()
	}
	return median(seconds)
}

// probeReview returns the review of a pod in the namespace for probes, with a separate database.
func probeReview(b *testing.B, pod *corev1.Pod) []byte {
	b.Helper()
	pod.Namespace = probeNamespace
	pod.Spec.Containers[0].Env[1].Value = "postgres.probe"
	object, err := json.Marshal(pod)
	if err != nil {
		b.Fatal(err)
	}
	review, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "1", Kind: metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"}, Operation: admissionv1.Create,
			Namespace: pod.Namespace, Name: pod.Name, DryRun: new(true), Object: runtime.RawExtension{Raw: object},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return review
}

package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/installation"
	"kongdao.io/kongdao/test/reviews"
)

// secondWebhook returns a webhook in addition to the shared one. It is not started, and the API server does not call
// it. At the end of the test, its log must have no errors except the expected ones.
func secondWebhook(t *testing.T, kubeconfig string, expected []string, flags ...string) *installation.Webhook {
	t.Helper()
	second, err := installation.NewWebhook(plane, shared.Program, t.TempDir(), kubeconfig, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := second.Kill(); err != nil {
			t.Error(err)
		}
		if err := cluster.CheckLog(second, expected...); err != nil {
			t.Error(err)
		}
	})
	return second
}

// webhookKubeconfig returns the kubeconfig of the shared webhook's user.
func webhookKubeconfig(t *testing.T) string {
	t.Helper()
	_, kubeconfig, err := plane.User(installation.WebhookUser)
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// tlsConfig returns a configuration that trusts the CA of the control plane.
func tlsConfig(t *testing.T) *tls.Config {
	t.Helper()
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(plane.CA()) {
		t.Fatal("the CA of the control plane is malformed")
	}
	return &tls.Config{RootCAs: trusted}
}

// reviewOf returns the review that the API server sends for a new pod.
func reviewOf(t *testing.T, pod *corev1.Pod) []byte {
	t.Helper()
	text, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	review, err := reviews.OfPod(text, pod.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	return review
}

// postReview sends the review of a new pod to a webhook. It returns the HTTP status and the answer.
func postReview(
	t *testing.T, to *installation.Webhook, config *tls.Config, pod *corev1.Pod,
) (status int, answer admissionv1.AdmissionReview, err error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to.URL("/mutate/pods"),
		bytes.NewReader(reviewOf(t, pod)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := transport.RoundTrip(request)
	if err != nil {
		return 0, answer, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, answer, err
	}
	return response.StatusCode, answer, json.Unmarshal(body, &answer)
}

// laterWebhook registers a mutating webhook for new pods of a namespace. It is called after kongdao's webhook and
// answers with the patch that change returns.
func laterWebhook(t *testing.T, namespace string, change func(pod corev1.Pod) string) {
	t.Helper()
	certificate, key, err := plane.ServingCertificate()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(mutatePods(t, change))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	// The API server calls webhooks in the order of their configurations' names.
	registerWebhook(t, "zz-"+namespace, namespace, server.URL, plane.CA())
	cluster.Eventually(t, func(ctx context.Context) error {
		probe := plainPod(namespace, "probe")
		if err := webhook.Admin.Create(ctx, probe, client.DryRunAll); err != nil {
			return err
		}
		if len(probe.Spec.Containers) < 2 {
			return errNotCalled
		}
		return nil
	})
}

// mutatePods answers reviews of pods with the patch that change returns, or with no patch for "".
func mutatePods(t *testing.T, change func(pod corev1.Pod) string) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		var review admissionv1.AdmissionReview
		var created corev1.Pod
		if err := json.NewDecoder(request.Body).Decode(&review); err != nil {
			t.Error(err)
			return
		}
		if err := json.Unmarshal(review.Request.Object.Raw, &created); err != nil {
			t.Error(err)
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if patch := change(created); patch != "" {
			review.Response.Patch, review.Response.PatchType = []byte(patch), new(admissionv1.PatchTypeJSONPatch)
		}
		review.Request = nil
		writer.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(writer).Encode(review); err != nil {
			t.Error(err)
		}
	})
}

// registerWebhook makes the API server call a webhook for each new pod of a namespace until the test ends. The CA is
// the one of the webhook's certificate.
func registerWebhook(t *testing.T, name, namespace, url string, ca []byte) {
	t.Helper()
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "other.example.com", AdmissionReviewVersions: []string{"v1"},
			SideEffects:  new(admissionregistrationv1.SideEffectClassNone),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: ca},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule: admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"},
					Resources: []string{"pods"}},
			}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
		}},
	}
	shared.Create(t, configuration)
	t.Cleanup(func() {
		if err := webhook.Admin.Delete(context.Background(), configuration); err != nil {
			t.Error(err)
		}
	})
}

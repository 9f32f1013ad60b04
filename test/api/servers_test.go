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

	"kongdao.io/kongdao/test/installation"
	"kongdao.io/kongdao/test/reviews"
)

// second prepares a webhook beside the shared one, which no API server calls.
// When the test ends its log may hold no error but those expected.
func second(t *testing.T, kubeconfig string, expected []string, flags ...string) *installation.Webhook {
	t.Helper()
	made, err := installation.NewWebhook(plane, program, t.TempDir(), kubeconfig, flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := made.Kill(); err != nil {
			t.Error(err)
		}
		if err := checkLog(made, expected...); err != nil {
			t.Error(err)
		}
	})
	return made
}

// tlsConfig trusts the control plane's CA.
func tlsConfig(t *testing.T) *tls.Config {
	t.Helper()
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(plane.CA()) {
		t.Fatal("the control plane's CA cannot be read")
	}
	return &tls.Config{RootCAs: trusted}
}

// reviewOf is what the API server would send of a pod's creation.
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

// ask sends a review of a pod's creation to a webhook, as a client of config.
func ask(t *testing.T, to *installation.Webhook, config *tls.Config, pod *corev1.Pod) (status int, answer admissionv1.AdmissionReview, err error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to.URL("/mutate/pods"), bytes.NewReader(reviewOf(t, pod)))
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

// laterWebhook registers, for a namespace, a mutating webhook that is called
// after ours and that answers every pod's creation with the patch that change
// makes of the pod.
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
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		var review admissionv1.AdmissionReview
		var made corev1.Pod
		if err := json.NewDecoder(request.Body).Decode(&review); err != nil {
			t.Error(err)
			return
		}
		if err := json.Unmarshal(review.Request.Object.Raw, &made); err != nil {
			t.Error(err)
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if patch := change(made); patch != "" {
			review.Response.Patch, review.Response.PatchType = []byte(patch), new(admissionv1.PatchTypeJSONPatch)
		}
		review.Request = nil
		writer.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(writer).Encode(review); err != nil {
			t.Error(err)
		}
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	// The API server calls webhooks in the order of their configurations' names.
	register(t, "zz-"+namespace, namespace, server.URL, plane.CA())
	eventually(t, func(ctx context.Context) error {
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

// register makes the API server call a webhook, which it knows by a CA, for each
// pod that is created in a namespace, until the test ends.
func register(t *testing.T, name, namespace, url string, ca []byte) {
	t.Helper()
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "another.example.com", AdmissionReviewVersions: []string{"v1"},
			SideEffects:  new(admissionregistrationv1.SideEffectClassNone),
			ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: ca},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
		}},
	}
	create(t, configuration)
	t.Cleanup(func() {
		if err := webhook.Admin.Delete(context.Background(), configuration); err != nil {
			t.Error(err)
		}
	})
}

package diagnosis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/diagnosis"
	"kongdao.io/kongdao/pkg/status"
)

// base is the folder with the manifests of an installation.
const base = "../../deploy/kustomize/base"

func now() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }

// healthy returns an installation from the manifests, as it is when everything works.
func healthy(t *testing.T) *diagnosis.Installation {
	t.Helper()
	i := &diagnosis.Installation{
		Now: now(), ClientVersion: "v0.1.0", KubernetesVersion: "v1.37.2",
		ServedKinds: []string{"PluginMigration", "PluginPolicy"},
		Admission: diagnosis.Admission{Namespace: "default", Error: `admission webhook "pods.kongdao.io" denied the ` +
			`request: plugin "kongdao-check-does-not-exist"`},
	}
	manifests := os.DirFS(base)
	err := fs.WalkDir(manifests, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := fs.ReadFile(manifests, path)
		if err != nil {
			return err
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			if err := add(i, []byte(document)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for d := range i.Deployments {
		i.Deployments[d].Status.AvailableReplicas = *i.Deployments[d].Spec.Replicas
	}
	i.Slices = []discoveryv1.EndpointSlice{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kongdao-system", Labels: map[string]string{
			"kubernetes.io/service-name": "kongdao-webhook",
		}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}, {Addresses: []string{"10.0.0.2"}}},
	}}
	certify(t, i, now().AddDate(0, 1, 0))
	return i
}

// add adds the object in a document, if its kind counts.
func add(i *diagnosis.Installation, document []byte) error {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return err
	}
	switch kind.Kind {
	case "Deployment":
		return appendDecoded(&i.Deployments, document)
	case "Service":
		return appendDecoded(&i.Services, document)
	case "MutatingWebhookConfiguration":
		return appendDecoded(&i.Mutating, document)
	case "ValidatingWebhookConfiguration":
		return appendDecoded(&i.Validating, document)
	case "ValidatingAdmissionPolicy":
		return appendDecoded(&i.AdmissionPolicies, document)
	case "ValidatingAdmissionPolicyBinding":
		return appendDecoded(&i.AdmissionBindings, document)
	}
	return nil
}

func appendDecoded[T any](to *[]T, document []byte) error {
	var object T
	if err := yaml.Unmarshal(document, &object); err != nil {
		return err
	}
	*to = append(*to, object)
	return nil
}

// certify gives the installation a certificate that is valid until a time, and its CA.
func certify(t *testing.T, i *diagnosis.Installation, until time.Time) {
	t.Helper()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now().AddDate(-1, 0, 0), NotAfter: now().AddDate(1, 0, 0), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	serving := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: now().AddDate(-1, 0, 0), NotAfter: until,
		DNSNames: []string{"kongdao-webhook.kongdao-system.svc"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(template *x509.Certificate) []byte {
		der, err := x509.CreateCertificate(rand.Reader, template, ca, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	bundle := encode(ca)
	i.Certificate = &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kongdao-system", Name: "kongdao-webhook-certificate"},
		Data:       map[string][]byte{"tls.crt": encode(serving)},
	}
	for c := range i.Mutating {
		for w := range i.Mutating[c].Webhooks {
			i.Mutating[c].Webhooks[w].ClientConfig.CABundle = bundle
		}
	}
}

func TestHealthyInstallation(t *testing.T) {
	for _, result := range diagnosis.Check(*healthy(t)) {
		if result.Status != diagnosis.OK || result.Hint != "" {
			t.Errorf("%+v", result)
		}
	}
}

// webhookOf returns the webhook with a name.
func webhookOf(i *diagnosis.Installation, name string) *admissionregistrationv1.MutatingWebhook {
	for c := range i.Mutating {
		for w := range i.Mutating[c].Webhooks {
			if i.Mutating[c].Webhooks[w].Name == name {
				return &i.Mutating[c].Webhooks[w]
			}
		}
	}
	return nil
}

func deploymentOf(i *diagnosis.Installation, name string) *appsv1.Deployment {
	for d := range i.Deployments {
		if i.Deployments[d].Name == name {
			return &i.Deployments[d]
		}
	}
	return nil
}

// TestBrokenInstallations breaks an installation in one way each. Exactly the result with the ID reports it.
func TestBrokenInstallations(t *testing.T) {
	const failed, warning = diagnosis.Failed, diagnosis.Warning
	gated := status.Pod{Namespace: "kong", Name: "kong-1", Gates: []string{annotations.MigrationsGate}, IsInjected: true}
	for name, test := range map[string]struct {
		damage func(*diagnosis.Installation)
		id     string
		status diagnosis.Status
		text   string
	}{
		"old Kubernetes": {func(i *diagnosis.Installation) { i.KubernetesVersion = "v1.29.9" }, "kubernetes", failed,
			"v1.29.9"},
		"strange Kubernetes": {func(i *diagnosis.Installation) { i.KubernetesVersion = "x" }, "kubernetes", warning, "x"},
		"no CRD": {func(i *diagnosis.Installation) { i.ServedKinds = []string{"PluginPolicy"} }, "kinds", failed,
			"PluginMigration"},
		"unreadable kind": {func(i *diagnosis.Installation) {
			i.Unreadable = map[string]error{"Services": errors.New("forbidden")}
		}, "readable", warning, "Services"},
		"no webhook": {func(i *diagnosis.Installation) {
			i.Deployments = []appsv1.Deployment{*deploymentOf(i, "kongdao-controller")}
		}, "webhook-deployment", failed, "there is no Deployment"},
		"webhook scaled to 0": {func(i *diagnosis.Installation) {
			deploymentOf(i, "kongdao-webhook").Spec.Replicas = new(int32(0))
		}, "webhook-deployment", failed, "scaled to 0"},
		"webhook without pods": {func(i *diagnosis.Installation) {
			deploymentOf(i, "kongdao-webhook").Status.AvailableReplicas = 0
		}, "webhook-deployment", failed, "no available pod"},
		"one webhook of two": {func(i *diagnosis.Installation) {
			deploymentOf(i, "kongdao-webhook").Status.AvailableReplicas = 1
		}, "webhook-deployment", warning, "1 of 2"},
		"one replica": {func(i *diagnosis.Installation) {
			deployment := deploymentOf(i, "kongdao-webhook")
			deployment.Spec.Replicas, deployment.Status.AvailableReplicas = new(int32(1)), 1
		}, "webhook-deployment", warning, "one replica"},
		"paused": {func(i *diagnosis.Installation) { deploymentOf(i, "kongdao-webhook").Spec.Paused = true },
			"webhook-deployment", warning, "paused"},
		"no controller": {func(i *diagnosis.Installation) {
			i.Deployments = []appsv1.Deployment{*deploymentOf(i, "kongdao-webhook")}
		}, "controller-deployment", warning, "there is no Deployment"},
		"controller without pods": {func(i *diagnosis.Installation) {
			deploymentOf(i, "kongdao-controller").Status.AvailableReplicas = 0
		}, "controller-deployment", failed, "no available pod"},
		"two versions": {func(i *diagnosis.Installation) {
			deploymentOf(i, "kongdao-controller").Spec.Template.Spec.Containers[0].Image = "kongdao:old"
		}, "same-version", failed, "kongdao:old"},
		"another client": {func(i *diagnosis.Installation) { i.ClientVersion = "v0.2.0" }, "client-version", warning,
			"v0.2.0"},
		"no configuration": {func(i *diagnosis.Installation) {
			webhookOf(i, "pods.kongdao.io").Name = "other"
		}, "webhook-pods.kongdao.io", failed, "kongdao is not called"},
		"two configurations": {func(i *diagnosis.Installation) {
			second := admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "old-kongdao"}}
			second.Webhooks = append(second.Webhooks, *webhookOf(i, "pods.kongdao.io"))
			i.Mutating = append(i.Mutating, second)
		}, "webhook-pods.kongdao.io", failed, "old-kongdao"},
		"no matchConditions": {func(i *diagnosis.Installation) {
			webhookOf(i, "pods.kongdao.io").MatchConditions = nil
		}, "webhook-pods.kongdao.io", failed, "matchConditions"},
		"failurePolicy": {func(i *diagnosis.Installation) {
			webhookOf(i, "workloads.kongdao.io").FailurePolicy = new(admissionregistrationv1.Ignore)
		}, "webhook-workloads.kongdao.io", warning, "Ignore"},
		"all namespaces": {func(i *diagnosis.Installation) {
			webhookOf(i, "pods.kongdao.io").NamespaceSelector = nil
		}, "webhook-pods.kongdao.io", failed, "kube-system"},
		"no Service": {func(i *diagnosis.Installation) {
			webhookOf(i, "workloads.kongdao.io").ClientConfig.Service.Name = "gone"
		}, "webhook-workloads.kongdao.io", failed, "gone"},
		"no endpoints": {func(i *diagnosis.Installation) { i.Slices = nil }, "service", failed, "no ready pod"},
		"policies without a webhook": {func(i *diagnosis.Installation) {
			i.Policies = []v1alpha1.PluginPolicy{{Spec: v1alpha1.PluginPolicySpec{
				Plugins: []v1alpha1.PolicyPlugin{{Name: "a"}},
			}}}
		}, "webhook-policies.kongdao.io", failed, "no webhook is called"},
		"no caBundle": {func(i *diagnosis.Installation) {
			webhookOf(i, "workloads.kongdao.io").ClientConfig.CABundle = nil
		}, "ca-bundle", failed, "workloads.kongdao.io"},
		"no Secret": {func(i *diagnosis.Installation) { i.Certificate = nil }, "certificate", warning, "missing"},
		"broken Secret": {func(i *diagnosis.Installation) { i.Certificate.Data["tls.crt"] = []byte("x") }, "certificate",
			failed, "tls.crt"},
		"expired certificate": {func(i *diagnosis.Installation) { i.Now = i.Now.AddDate(0, 2, 0) }, "certificate", failed,
			"expired"},
		"certificate expires soon": {func(i *diagnosis.Installation) { i.Now = i.Now.AddDate(0, 0, 28) }, "certificate",
			warning, "expires"},
		"another CA": {func(i *diagnosis.Installation) {
			bundle := webhookOf(i, "pods.kongdao.io").ClientConfig.CABundle
			other := &diagnosis.Installation{}
			certify(t, other, now().AddDate(0, 1, 0))
			i.Certificate.Data = other.Certificate.Data
			webhookOf(i, "pods.kongdao.io").ClientConfig.CABundle = bundle
		}, "trust", failed, "does not trust"},
		"not called": {func(i *diagnosis.Installation) { i.Admission.Error = "" }, "admission", failed, "was not called"},
		"cannot be called": {func(i *diagnosis.Installation) {
			i.Admission.Error = `failed calling webhook "pods.kongdao.io": connection refused`
		}, "admission", failed, "connection refused"},
		"another denial": {func(i *diagnosis.Installation) { i.Admission.Error = "quota exceeded" }, "admission", warning,
			"quota"},
		"no dry run": {func(i *diagnosis.Installation) { i.Admission = diagnosis.Admission{} }, "admission", warning,
			"was not asked"},
		"no admission policies": {func(i *diagnosis.Installation) { i.AdmissionPolicies = nil }, "admission-policies",
			warning, "stolen token"},
		"admission policy without a binding": {func(i *diagnosis.Installation) {
			i.AdmissionBindings = i.AdmissionBindings[1:]
		}, "admission-policies", warning, "not enforced"},
		"gated pod": {func(i *diagnosis.Installation) { i.Pods = []status.Pod{gated} }, "gated-pods", warning,
			"kong/kong-1"},
		"failed migration": {func(i *diagnosis.Installation) {
			i.Migrations = []v1alpha1.PluginMigration{{Status: v1alpha1.PluginMigrationStatus{Phase: v1alpha1.PhaseFailed}}}
		}, "migrations", failed, "1 migration failed"},
		"uninjected pod": {func(i *diagnosis.Installation) {
			i.Pods = []status.Pod{{Namespace: "kong", Name: "kong-2", Plugins: "a"}}
		}, "uninjected-pods", failed, "kong/kong-2"},
		"lost fields": {func(i *diagnosis.Installation) { i.LostFields = []string{"kong/kong-3"} }, "lost-fields", failed,
			"kong/kong-3"},
	} {
		t.Run(name, func(t *testing.T) {
			installation := healthy(t)
			test.damage(installation)
			found := false
			for _, result := range diagnosis.Check(*installation) {
				switch {
				case result.Status == diagnosis.OK:
				case result.ID == test.id && result.Status == test.status && strings.Contains(result.Message, test.text):
					found = true
					if result.Hint == "" {
						t.Errorf("%+v has no hint", result)
					}
				default:
					t.Errorf("another result: %+v", result)
				}
			}
			if !found {
				t.Errorf("no result %s %s with %q", test.id, test.status, test.text)
			}
		})
	}
}

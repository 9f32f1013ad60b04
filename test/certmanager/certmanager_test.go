package certmanager

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/controlplane"
)

const (
	namespace = "default"
	host      = "webhook.default.svc"
)

// serving is the serving Certificate's name, and its Secret's.
var serving = client.ObjectKey{Namespace: namespace, Name: "serving"}

// object makes an object of cert-manager's.
func object(kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1",
		"kind":       kind,
		"metadata":   map[string]any{"namespace": namespace, "name": name},
		"spec":       spec,
	}}
}

// chain is what a user asks for to have a serving certificate of an authority
// of their own, in an order in which each waits for what comes after it.
func chain() []*unstructured.Unstructured {
	issuer := func(name string) map[string]any { return map[string]any{"name": name, "kind": "Issuer"} }
	return []*unstructured.Unstructured{
		object("Certificate", "serving", map[string]any{
			"secretName": "serving", "dnsNames": []any{host}, "issuerRef": issuer("ca"),
		}),
		object("Issuer", "ca", map[string]any{"ca": map[string]any{"secretName": "ca"}}),
		object("Certificate", "ca", map[string]any{
			"secretName": "ca", "commonName": "kongdao's authority", "isCA": true, "issuerRef": issuer("selfsigned"),
		}),
		object("Issuer", "selfsigned", map[string]any{"selfSigned": map[string]any{}}),
	}
}

// TestASecretIsIssuedAndIssuedAnew has cert-manager make a serving certificate,
// loses its Secret, and then cert-manager itself.
func TestASecretIsIssuedAndIssuedAnew(t *testing.T) {
	ctrl.SetLogger(logr.Discard()) // of this process, whose clients need none
	ctx, dir, folder := t.Context(), t.TempDir(), os.Getenv(Folder)
	began := time.Now()
	lap := func(what string) {
		t.Helper()
		t.Logf("%s after %.2fs", what, time.Since(began).Seconds())
		began = time.Now()
	}
	plane, err := controlplane.Start(ctx, controlplane.Options{Assets: os.Getenv("KUBEBUILDER_ASSETS")})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, plane.Stop)
	admin, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	lap("the control plane serves")

	for range 2 { // for test packages that share a control plane
		if err := CRDs(ctx, admin, folder); err != nil {
			t.Fatal(err)
		}
	}
	lap("cert-manager's kinds are served")
	running, err := Start(ctx, plane.Kubeconfig(), folder, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if running != nil {
			stop(t, running.Stop)
		}
	}()
	lap("cert-manager is ready")

	for _, each := range chain() {
		if err := admin.Create(ctx, each); err != nil {
			t.Fatalf("create the %s %s: %v", each.GetKind(), each.GetName(), err)
		}
	}
	first := issued(t, admin, running, nil)
	lap("the serving certificate is issued")

	settled(t, admin, running)
	lose(t, admin)
	second := issued(t, admin, running, first)
	lap("the serving certificate is issued anew")

	// The controllers know what they had not seen.
	settled(t, admin, running)
	stop(t, running.Stop)
	lose(t, admin)
	if running, err = Start(ctx, plane.Kubeconfig(), folder, dir); err != nil {
		t.Fatal(err)
	}
	issued(t, admin, running, second)
	lap("cert-manager is started again and the certificate is issued anew")
}

// settled waits until cert-manager is done with the serving certificate.
func settled(t *testing.T, admin client.Client, running *Running) {
	t.Helper()
	if err := running.Issued(t.Context(), admin, serving); err != nil {
		t.Fatal(err)
	}
}

// lose deletes the serving certificate's Secret.
func lose(t *testing.T, admin client.Client) {
	t.Helper()
	if err := admin.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: serving.Namespace, Name: serving.Name}}); err != nil {
		t.Fatal(err)
	}
}

// issued waits for the serving certificate, another than the one before, and
// proves that a server can use it and a client can trust it.
func issued(t *testing.T, admin client.Client, running *Running, before *x509.Certificate) *x509.Certificate {
	t.Helper()
	var certificate *x509.Certificate
	err := poll(t.Context(), running.process, func() (err error) {
		certificate, err = read(t.Context(), admin)
		return err
	})
	if err != nil {
		t.Fatalf("wait for the Secret serving: %v\n%s", err, state(t.Context(), admin))
	}
	if before != nil && certificate.SerialNumber.Cmp(before.SerialNumber) == 0 {
		t.Fatalf("the certificate of the new Secret is the one of before: serial %s", before.SerialNumber)
	}
	return certificate
}

// read yields the certificate in the serving Secret, if it is whole.
func read(ctx context.Context, admin client.Client) (*x509.Certificate, error) {
	secret := &corev1.Secret{}
	if err := admin.Get(ctx, serving, secret); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, fmt.Errorf("the Secret's keys are %v: %w", slices.Sorted(maps.Keys(secret.Data)), err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(secret.Data["ca.crt"]) {
		return nil, fmt.Errorf("no certificate in ca.crt: %q", secret.Data["ca.crt"])
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots})
	return pair.Leaf, err
}

// state tells, for a failed test, how far cert-manager says that it is.
func state(ctx context.Context, admin client.Client) string {
	var told strings.Builder
	for _, each := range chain() {
		err := admin.Get(ctx, client.ObjectKeyFromObject(each), each)
		fmt.Fprintf(&told, "%s %s: %v %v\n", each.GetKind(), each.GetName(), each.Object["status"], err)
	}
	return told.String()
}

func stop(t *testing.T, what func() error) {
	t.Helper()
	if err := what(); err != nil {
		t.Error(err)
	}
}

// TestWhatIsMissingIsNamed proves that whoever has not built cert-manager is
// told how to.
func TestWhatIsMissingIsNamed(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	half := t.TempDir()
	if err := os.WriteFile(filepath.Join(half, program), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]string{"": "no folder", empty: "no cert-manager", half: "no crds"} {
		_, err := Start(t.Context(), "", folder, t.TempDir())
		for _, err := range []error{err, CRDs(t.Context(), nil, folder)} {
			if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), wayOut) {
				t.Errorf("with %q: %v, want %q and the way out", folder, err, want)
			}
		}
	}
}

// TestAnEndIsTold proves that nobody waits for what is gone, and that its last
// words are told.
func TestAnEndIsTold(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), "", os.Getenv(Folder), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "no cluster is named") {
		t.Errorf("started for no cluster: %v", err)
	}
}

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
	namespace  = "default"
	serverName = "webhook.default.svc"
)

// servingKey returns the key of the serving Certificate and of its Secret.
func servingKey() client.ObjectKey { return client.ObjectKey{Namespace: namespace, Name: "serving"} }

// newObject returns an object of cert-manager.
func newObject(kind, name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cert-manager.io/v1",
		"kind":       kind,
		"metadata":   map[string]any{"namespace": namespace, "name": name},
		"spec":       spec,
	}}
}

// certificateObjects returns the objects for a serving certificate of a new CA. Each object depends on the next one.
func certificateObjects() []*unstructured.Unstructured {
	issuer := func(name string) map[string]any { return map[string]any{"name": name, "kind": "Issuer"} }
	return []*unstructured.Unstructured{
		newObject("Certificate", "serving", map[string]any{
			"secretName": "serving", "dnsNames": []any{serverName}, "issuerRef": issuer("ca"),
		}),
		newObject("Issuer", "ca", map[string]any{"ca": map[string]any{"secretName": "ca"}}),
		newObject("Certificate", "ca", map[string]any{
			"secretName": "ca", "commonName": "kongdao's CA", "isCA": true, "issuerRef": issuer("selfsigned"),
		}),
		newObject("Issuer", "selfsigned", map[string]any{"selfSigned": map[string]any{}}),
	}
}

// TestCertificateIsIssuedAgainWithoutItsSecret proves that cert-manager issues a certificate, and issues a new one when
// the Secret is deleted. It also does this if the Secret was deleted before the controllers started.
func TestCertificateIsIssuedAgainWithoutItsSecret(t *testing.T) {
	ctrl.SetLogger(logr.Discard()) // the clients of this test need no log
	ctx, dir, assets := t.Context(), t.TempDir(), os.Getenv(AssetsVariable)
	logStep := newStepLogger(t)
	plane, err := controlplane.Start(ctx, controlplane.Options{Assets: os.Getenv("KUBEBUILDER_ASSETS")})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, plane.Stop)
	admin, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	logStep("the control plane is ready")

	for range 2 { // because test packages may share a control plane
		if err := InstallCRDs(ctx, admin, assets); err != nil {
			t.Fatal(err)
		}
	}
	logStep("the CRDs are installed")
	controllers, err := Start(ctx, plane.Kubeconfig(), assets, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if controllers != nil {
			stop(t, controllers.Stop)
		}
	}()
	logStep("cert-manager is ready")

	for _, object := range certificateObjects() {
		if err := admin.Create(ctx, object); err != nil {
			t.Fatalf("create the %s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
	first := waitForCertificate(t, admin, controllers, nil)
	logStep("the serving certificate is issued")

	waitUntilIssued(t, admin, controllers)
	deleteSecret(t, admin)
	second := waitForCertificate(t, admin, controllers, first)
	logStep("the serving certificate is issued again")

	waitUntilIssued(t, admin, controllers)
	stop(t, controllers.Stop)
	deleteSecret(t, admin)
	if controllers, err = Start(ctx, plane.Kubeconfig(), assets, dir); err != nil {
		t.Fatal(err)
	}
	waitForCertificate(t, admin, controllers, second)
	logStep("cert-manager has restarted and issued the certificate again")
}

// newStepLogger returns a function that logs the duration of a step.
func newStepLogger(t *testing.T) func(step string) {
	start := time.Now()
	return func(step string) {
		t.Helper()
		t.Logf("%s after %.2fs", step, time.Since(start).Seconds())
		start = time.Now()
	}
}

func waitUntilIssued(t *testing.T, admin client.Client, controllers *Controllers) {
	t.Helper()
	if err := controllers.WaitUntilIssued(t.Context(), admin, servingKey()); err != nil {
		t.Fatal(err)
	}
}

func deleteSecret(t *testing.T, admin client.Client) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: servingKey().Namespace, Name: servingKey().Name}}
	if err := admin.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
}

// waitForCertificate waits for a serving certificate that a client can verify. It must differ from the previous one.
func waitForCertificate(
	t *testing.T, admin client.Client, controllers *Controllers, previous *x509.Certificate,
) *x509.Certificate {
	t.Helper()
	var certificate *x509.Certificate
	err := controllers.waitUntil(t.Context(), func(ctx context.Context) (err error) {
		certificate, err = readCertificate(ctx, admin)
		return err
	})
	if err != nil {
		t.Fatalf("wait for the serving certificate: %v\n%s", err, status(t.Context(), admin))
	}
	if previous != nil && certificate.SerialNumber.Cmp(previous.SerialNumber) == 0 {
		t.Fatalf("the new Secret has the previous certificate, with serial number %s", previous.SerialNumber)
	}
	return certificate
}

// readCertificate returns the certificate in the serving Secret. It returns an error unless a client can verify it.
func readCertificate(ctx context.Context, admin client.Client) (*x509.Certificate, error) {
	secret := &corev1.Secret{}
	if err := admin.Get(ctx, servingKey(), secret); err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, fmt.Errorf("the Secret has the keys %v: %w", slices.Sorted(maps.Keys(secret.Data)), err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(secret.Data["ca.crt"]) {
		return nil, fmt.Errorf("no certificate in ca.crt: %q", secret.Data["ca.crt"])
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: serverName, Roots: roots})
	return pair.Leaf, err
}

// status describes the status of all objects, for the message of a failed test.
func status(ctx context.Context, admin client.Client) string {
	var text strings.Builder
	for _, object := range certificateObjects() {
		err := admin.Get(ctx, client.ObjectKeyFromObject(object), object)
		fmt.Fprintf(&text, "%s %s: %v %v\n", object.GetKind(), object.GetName(), object.Object["status"], err)
	}
	return text.String()
}

func stop(t *testing.T, stop func() error) {
	t.Helper()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestMissingAssetsAreNamed proves that the error names the missing file and says how to build it.
func TestMissingAssetsAreNamed(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	withoutCRDs := t.TempDir()
	if err := os.WriteFile(filepath.Join(withoutCRDs, program), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	for assets, want := range map[string]string{
		"": "no directory", empty: "no cert-manager", withoutCRDs: "no crds",
	} {
		_, startErr := Start(t.Context(), "", assets, t.TempDir())
		for _, err := range []error{startErr, InstallCRDs(t.Context(), nil, assets)} {
			if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), buildFix) {
				t.Errorf("assets %q: error %v, want %q and how to build it", assets, err, want)
			}
		}
	}
}

// TestStartFailsWhenTheProcessEnds proves that Start does not wait for a process that has ended, and that the error has
// the end of its log.
func TestStartFailsWhenTheProcessEnds(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), "", os.Getenv(AssetsVariable), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "no kubeconfig: set --kubeconfig") {
		t.Errorf("error %v without a kubeconfig, want \"no kubeconfig: set --kubeconfig\"", err)
	}
}

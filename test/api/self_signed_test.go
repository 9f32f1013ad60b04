package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/cluster"
)

// TestSeveralReplicasCreateOneCA proves that replicas that start at the same time agree on one CA. They become ready
// when the webhook configuration exists and has the CA.
func TestSeveralReplicasCreateOneCA(t *testing.T) {
	t.Parallel()
	c := startSelfSigned(t, 3)
	createDAOTest(t, c.namespace)
	c.waitForNotReady(
		fmt.Sprintf("certificate: not ready: MutatingWebhookConfiguration %q does not exist", c.configuration))
	start := time.Now()
	c.register()
	c.waitUntilReady()
	t.Logf("three replicas ready %v after the configuration was created", time.Since(start).Round(time.Millisecond))
	secret, err := c.readSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := c.caBundle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if count := countCertificates(bundle); count != 1 {
		t.Errorf("the caBundle has %d CAs, want 1", count)
	}
	if !bytes.Equal(bundle, secret.Data[caCertificateKey]) {
		t.Errorf("the caBundle differs from the CAs in the Secret")
	}
	if err := errors.Join(c.checkTrust(t.Context()), c.checkAdmission(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestDamagedCertificateIsRestored proves that the replicas restore a deleted or damaged Secret or caBundle with the
// same CA.
func TestDamagedCertificateIsRestored(t *testing.T) {
	t.Parallel()
	c := startSelfSigned(t, 2)
	createDAOTest(t, c.namespace)
	c.register()
	c.waitUntilReady()
	bundle, err := c.caBundle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range certificateDamages(c) {
		start := time.Now()
		damage(t)
		cluster.Eventually(t, func(ctx context.Context) error {
			secret, err := c.readSecret(ctx)
			if err != nil {
				return err
			}
			data := secret.Data
			if !bytes.Equal(data[caCertificateKey], bundle) || len(data[corev1.TLSCertKey]) == 0 ||
				len(data[caPrivateKeyKey]) < 10 {
				return fmt.Errorf("the Secret is not restored: its CA has %d bytes", len(data[caCertificateKey]))
			}
			return c.checkTrust(ctx)
		})
		t.Logf("%s: restored in %v", name, time.Since(start).Round(time.Millisecond))
	}
	if now, err := c.caBundle(t.Context()); err != nil || !bytes.Equal(now, bundle) {
		t.Errorf("the caBundle has changed: %v", err)
	}
	cluster.Eventually(t, c.checkAdmission)
}

// certificateDamages returns functions that damage the Secret or the caBundle.
func certificateDamages(c *certInstallation) map[string]func(t *testing.T) {
	patch := func(t *testing.T, object client.Object, key client.ObjectKey, operations string) {
		t.Helper()
		object.SetName(key.Name)
		object.SetNamespace(key.Namespace)
		patch := client.RawPatch(types.JSONPatchType, []byte(operations))
		if err := webhook.Admin.Patch(t.Context(), object, patch); err != nil {
			t.Fatal(err)
		}
	}
	patchBundle := func(t *testing.T, operations string) {
		t.Helper()
		key := client.ObjectKey{Name: c.configuration}
		patch(t, &admissionregistrationv1.MutatingWebhookConfiguration{}, key, operations)
	}
	return map[string]func(t *testing.T){
		"Secret deleted": func(t *testing.T) {
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.secret.Namespace, Name: c.secret.Name}}
			if err := webhook.Admin.Delete(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		},
		"Secret damaged": func(t *testing.T) {
			patch(t, &corev1.Secret{}, c.secret, `[{"op":"replace","path":"/data/tls.crt","value":""},`+
				`{"op":"replace","path":"/data/ca.key","value":"aGVsbG8="}]`)
		},
		"caBundle removed": func(t *testing.T) {
			patchBundle(t, `[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]`)
		},
		"caBundle of another CA": func(t *testing.T) {
			patchBundle(t, `[{"op":"replace","path":"/webhooks/0/clientConfig/caBundle","value":"`+
				base64.StdEncoding.EncodeToString(plane.CA())+`"}]`)
		},
	}
}

// TestRotationUnderLoad proves that no admission fails while the CA and the certificate are rotated. Two rotations are
// requested, and the last one is due.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	c := startSelfSigned(t, 2, "--ca-lifetime", "225s", "--cert-lifetime", "75s")
	createDAOTest(t, c.namespace)
	c.register()
	c.waitUntilReady()
	cluster.Eventually(t, c.checkAdmission)
	stopLoad := c.startLoad()
	for round := range 2 {
		before, err := c.readSecret(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		requested := before.DeepCopy()
		requested.Annotations = map[string]string{annotations.Rotate: strconv.Itoa(round)}
		if err := webhook.Admin.Patch(t.Context(), requested, client.MergeFrom(before)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		cluster.Eventually(t, func(ctx context.Context) error { return c.checkRotated(ctx, before) })
		t.Logf("rotated in %v", time.Since(start).Round(time.Millisecond))
	}
	// The certificate is renewed when a third of its 75 s is left.
	before, err := c.readSecret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func(ctx context.Context) error {
		now, err := c.readSecret(ctx)
		if err == nil && bytes.Equal(now.Data[corev1.TLSCertKey], before.Data[corev1.TLSCertKey]) {
			err = errors.New("the certificate is not renewed yet")
		}
		return err
	})
	stopLoad()
}

// checkRotated returns an error unless a rotation is complete: the Secret has one new CA and a new certificate.
func (c *certInstallation) checkRotated(ctx context.Context, before *corev1.Secret) error {
	now, err := c.readSecret(ctx)
	if err != nil {
		return err
	}
	changed := func(key string) bool { return !bytes.Equal(now.Data[key], before.Data[key]) }
	switch {
	case now.Annotations[annotations.Rotate] != "":
		return errors.New("the annotation still exists")
	case countCertificates(now.Data[caCertificateKey]) != 1:
		return errors.New("the Secret has several CAs")
	case !changed(caCertificateKey) || !changed(corev1.TLSCertKey):
		return errors.New("the CA or the certificate has not changed")
	}
	return nil
}

func countCertificates(pem []byte) int { return bytes.Count(pem, []byte("BEGIN CERTIFICATE")) }

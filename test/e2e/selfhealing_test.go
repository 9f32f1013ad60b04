//go:build e2e

package e2e

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/fixtures"
)

// TestSelfHealing checks that three replicas that start together create one CA, and that kongdao repairs deleted,
// changed and expired certificates.
func TestSelfHealing(t *testing.T) {
	s := newSpace(t)
	s.apply(s.pack(fixtures.PluginFolder()))
	r := install(t, "--set=replicaCount=3", "--set=extraArgs={--ca-lifetime=45s,--cert-lifetime=45s}")
	r.waitReady()
	created := 0
	for _, pod := range r.pods(webhookPods) {
		created += strings.Count(r.logs(pod), `"created a CA`)
	}
	if created != 1 {
		t.Errorf("three replicas created %d CAs; want 1", created)
	}
	r.wantHealed(s, "start", func() {})

	r.wantHealed(s, "deleted Secret", func() { r.run("delete", "secret", certificate) })
	r.wantHealed(s, "removed caBundles", func() {
		r.run("patch", "mutatingwebhookconfiguration", "kongdao", "--type=json", "--patch=["+
			`{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"},`+
			`{"op":"remove","path":"/webhooks/1/clientConfig/caBundle"}]`)
	})
	r.wantHealed(s, "certificates that expired without replicas", func() {
		r.scale(0)
		eventually(t, r.checkExpired)
		if err := s.create(t.Context(), true, true); err == nil {
			t.Error("without replicas, a pod that requests plugins is admitted; want a denial")
		}
		r.scale(3)
	})
	r.uninstall()
}

// wantHealed calls damage. Then it waits until the Secret is complete, all caBundles have its CAs, and a pod that
// requests plugins is admitted.
func (r release) wantHealed(s space, what string, damage func()) {
	r.t.Helper()
	damage()
	start := time.Now()
	eventually(r.t, func() error { return errors.Join(r.checkCertificates(), s.create(r.t.Context(), true, true)) })
	r.t.Logf("%s: healed in %v", what, time.Since(start).Round(10*time.Millisecond))
}

// checkCertificates returns the first problem of the Secret and the caBundles.
func (r release) checkCertificates() error {
	secret, err := r.secret()
	if err != nil {
		return err
	}
	for _, key := range []string{"ca.crt", "ca.key", corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		if len(secret.Data[key]) == 0 {
			return fmt.Errorf("the Secret has no %s", key)
		}
	}
	for _, name := range []string{"kongdao", policiesConfiguration} {
		var configuration admissionregistrationv1.MutatingWebhookConfiguration
		if err := admin.Get(r.t.Context(), client.ObjectKey{Name: name}, &configuration); err != nil {
			return err
		}
		for _, webhook := range configuration.Webhooks {
			if !bytes.Equal(webhook.ClientConfig.CABundle, secret.Data["ca.crt"]) {
				return fmt.Errorf("the caBundle of %s differs from the CAs in the Secret", webhook.Name)
			}
		}
	}
	return nil
}

// checkExpired returns nil if the serving certificate and all CAs have expired.
func (r release) checkExpired() error {
	secret, err := r.secret()
	if err != nil {
		return err
	}
	for _, key := range []string{"ca.crt", corev1.TLSCertKey} {
		for block, rest := pem.Decode(secret.Data[key]); block != nil; block, rest = pem.Decode(rest) {
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return err
			}
			if left := time.Until(certificate.NotAfter); left >= 0 {
				return fmt.Errorf("%s is valid for another %v", key, left)
			}
		}
	}
	return nil
}

func (r release) secret() (*corev1.Secret, error) {
	var secret corev1.Secret
	return &secret, admin.Get(r.t.Context(), client.ObjectKey{Namespace: system, Name: certificate}, &secret)
}

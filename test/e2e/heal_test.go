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

// TestHeals proves that three replicas which start at once come to one CA, and
// that what somebody breaks, or time does, is mended without anybody's help.
func TestHeals(t *testing.T) {
	s := newSpace(t)
	s.apply(s.pack(fixtures.PluginFolder()))
	r := install(t, "--set=replicaCount=3", "--set=extraArgs={--ca-lifetime=45s,--cert-lifetime=45s}")
	r.rolledOut()
	made := 0
	for _, pod := range r.pods() {
		made += strings.Count(r.logs(pod), `"created a CA`)
	}
	if made != 1 {
		t.Errorf("three replicas made %d CAs, want one", made)
	}
	r.healed(s, "admitted", func() {})

	r.healed(s, "the Secret is deleted", func() { r.run("delete", "secret", certificate) })
	r.healed(s, "the caBundle is emptied", func() {
		r.run("patch", "mutatingwebhookconfiguration", "kongdao", "--type=json",
			`--patch=[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"},{"op":"remove","path":"/webhooks/1/clientConfig/caBundle"}]`)
	})
	r.healed(s, "certificate and CA have ended while no replica ran, and three start", func() {
		r.scale(0)
		eventually(t, r.expired)
		if err := s.create(t.Context(), true, true); err == nil {
			t.Error("a pod that asks was admitted with no replica")
		}
		r.scale(3)
	})
	r.uninstall()
}

// healed waits until the Secret is whole, all caBundles have its CAs, and a pod
// that asks is admitted, and says how long that took from spoil's end.
func (r release) healed(s space, what string, spoil func()) {
	r.t.Helper()
	spoil()
	began := time.Now()
	eventually(r.t, func() error { return errors.Join(r.whole(), s.create(r.t.Context(), true, true)) })
	r.t.Logf("%s: healed in %v", what, time.Since(began).Round(10*time.Millisecond))
}

// whole says what is wrong with the Secret and the caBundles.
func (r release) whole() error {
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
				return fmt.Errorf("the caBundle of %s is not that of the Secret", webhook.Name)
			}
		}
	}
	return nil
}

// expired is nil when the serving certificate and every CA have ended.
func (r release) expired() error {
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
				return fmt.Errorf("%s is good for %v", key, left)
			}
		}
	}
	return nil
}

func (r release) secret() (*corev1.Secret, error) {
	var secret corev1.Secret
	return &secret, admin.Get(r.t.Context(), client.ObjectKey{Namespace: system, Name: certificate}, &secret)
}

package api

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/wait"
)

// TestSuspendedReplicasRenewExpiredCertificates proves that replicas recover if their certificate and its CA expire
// while they are suspended, for example with their machine.
func TestSuspendedReplicasRenewExpiredCertificates(t *testing.T) {
	t.Parallel()
	c := startSelfSigned(t, 2, "--ca-lifetime", "45s", "--cert-lifetime", "45s")
	createDAOTest(t, c.namespace)
	c.register()
	c.waitUntilReady()
	cluster.Eventually(t, c.checkAdmission)
	signal := func(signal syscall.Signal) {
		t.Helper()
		for _, replica := range c.replicas {
			if err := syscall.Kill(replica.PID(), signal); err != nil {
				t.Fatal(err)
			}
		}
	}
	signal(syscall.SIGSTOP)
	wait.For(t, 2*time.Minute, c.checkExpired)
	signal(syscall.SIGCONT)
	start := time.Now()
	cluster.Eventually(t, func(ctx context.Context) error {
		return errors.Join(c.checkTrust(ctx), c.checkAdmission(ctx))
	})
	t.Logf("recovered %v after the replicas were resumed", time.Since(start).Round(time.Millisecond))
}

// checkExpired returns an error unless the serving certificate and all CAs have expired.
func (c *certInstallation) checkExpired(ctx context.Context) error {
	secret, err := c.readSecret(ctx)
	if err != nil {
		return err
	}
	for _, key := range []string{caCertificateKey, corev1.TLSCertKey} {
		for block, rest := pem.Decode(secret.Data[key]); block != nil; block, rest = pem.Decode(rest) {
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return err
			}
			if remaining := time.Until(certificate.NotAfter); remaining >= 0 {
				return fmt.Errorf("%s is valid for another %v", key, remaining)
			}
		}
	}
	return nil
}

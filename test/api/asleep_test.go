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

	"kongdao.io/kongdao/test/wait"
)

// TestAfterASleep proves that replicas which were asleep for longer than their
// certificate and its CA were good, as on a machine that was suspended, come
// back to serve what the API server trusts.
func TestAfterASleep(t *testing.T) {
	t.Parallel()
	o := startOwn(t, 2, "--ca-lifetime", "45s", "--cert-lifetime", "45s")
	daoTest(t, o.namespace)
	o.register()
	o.ready()
	eventually(t, o.admits)
	signal := func(signal syscall.Signal) {
		t.Helper()
		for _, replica := range o.replicas {
			if err := syscall.Kill(replica.PID(), signal); err != nil {
				t.Fatal(err)
			}
		}
	}
	signal(syscall.SIGSTOP)
	wait.For(t, 2*time.Minute, o.expired)
	signal(syscall.SIGCONT)
	began := time.Now()
	eventually(t, func(ctx context.Context) error { return errors.Join(o.trusted(ctx), o.admits(ctx)) })
	t.Logf("awake after everything had ended: healed in %v", time.Since(began).Round(time.Millisecond))
}

// expired is nil when the serving certificate and every CA have ended.
func (o *own) expired(ctx context.Context) error {
	secret, err := o.readSecret(ctx)
	if err != nil {
		return err
	}
	for _, key := range []string{"ca.crt", "tls.crt"} {
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

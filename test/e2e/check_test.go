//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestCheck checks the cluster before the installation, then a healthy installation, then broken ones.
func TestCheck(t *testing.T) {
	s := newSpace(t)
	s.wantChecks("--pre")
	r := install(t)
	r.waitReady()
	s.kongdao("", "check", "--namespace", s.name, "--wait=1m")
	s.wantChecks()
	r.scale(0)
	s.wantCheckFails("is scaled to 0", "has no ready pod", "the API server cannot call kongdao")
	r.scale(2)
	s.kongdao("", "check", "--namespace", s.name, "--wait=2m")
	r.run("delete", "mutatingwebhookconfiguration", "kongdao")
	s.wantCheckFails(`no MutatingWebhookConfiguration has the webhook "pods.kongdao.io"`, "kongdao was not called")
	r.upgrade()
	s.kongdao("", "check", "--namespace", s.name, "--wait=1m")
	s.wantChecks()
	r.uninstall()
	s.wantChecks("--pre")
}

// wantChecks waits until all checks succeed. What earlier tests leave is deleted in the meantime.
func (s space) wantChecks(flags ...string) {
	s.t.Helper()
	eventually(s.t, func() error {
		arguments := append([]string{"kongdao", "check", "--namespace", s.name}, flags...)
		out, err := kubectl(s.t.Context(), "", arguments...)
		if err != nil || out == "" {
			return fmt.Errorf("check %v prints %q: %w", flags, out, err)
		}
		for line := range strings.Lines(out) {
			if !strings.HasPrefix(line, "ok ") {
				return fmt.Errorf("check %v: %s", flags, out)
			}
		}
		return nil
	})
}

// wantCheckFails waits until check reports failures with these texts.
func (s space) wantCheckFails(texts ...string) {
	s.t.Helper()
	eventually(s.t, func() error {
		out, err := kubectl(s.t.Context(), "", "kongdao", "check", "--namespace", s.name)
		if err == nil {
			return errors.New("check succeeds: " + out)
		}
		for _, text := range texts {
			if !strings.Contains(out, text) {
				return errors.New(text + " is not in " + out)
			}
		}
		return nil
	})
}

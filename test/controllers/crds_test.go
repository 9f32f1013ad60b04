package controllers

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/installation"
)

// TestWithoutCRDs proves that the webhook and the controller stop if the cluster does not have the CRDs, with an error
// that says what to do. It deletes all PluginMigrations. So it runs before TestFinishWaitsForPodsWithoutInjection,
// which continues as a parallel test: Go runs tests in the order of their files.
func TestWithoutCRDs(t *testing.T) {
	definitions, err := installation.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(webhook.Kill(), controller.Kill()); err != nil {
		t.Fatal(err)
	}
	deleteLease(t)
	for _, definition := range definitions {
		remove(t, definition)
		cluster.Eventually(t, func(ctx context.Context) error {
			if err := installation.CheckCRD(ctx, plane, definition); !meta.IsNoMatchError(err) {
				return errors.Join(errors.New("the API server still has the CRD"), err)
			}
			return nil
		})
	}
	expectLogError("the cluster has no kind")
	wantMissingCRDs(t, &webhook.Program)
	wantMissingCRDs(t, controller)
	if err := installation.InstallCRDs(t.Context(), plane); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(webhook.StartAndWait(t.Context()), controller.StartAndWait(t.Context())); err != nil {
		t.Fatal(err)
	}
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	migrateWith(t, ns, "first", "dao-test@1.0.0")
}

// wantMissingCRDs starts a program, and checks that it stops with an error about the CRDs.
func wantMissingCRDs(t *testing.T, program *installation.Program) {
	t.Helper()
	before, err := os.ReadFile(program.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	if err := program.StartAndWait(t.Context()); err == nil {
		t.Errorf("the program with the log %s runs without the CRDs", program.LogFile())
	}
	log, err := os.ReadFile(program.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	log = bytes.TrimPrefix(log, before)
	const want = "of kongdao.io/v1alpha1: install kongdao's CRDs, or remove the flags --migrations and --policies"
	if !strings.Contains(string(log), want) {
		t.Errorf("%q is not in the log: %s", want, log)
	}
}

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/installation"
)

// system is the namespace of kongdao. certificate is the Secret with its certificate.
const (
	system      = "kongdao-system"
	certificate = "kongdao-webhook-certificate"
)

// release is an installation of kongdao.
type release struct {
	t     *testing.T
	chart string
	// auditOffset is the size of the audit log before the installation.
	auditOffset int64
	start       time.Time
}

// install installs the packed chart with the built image into a namespace with the Pod Security Standard "restricted".
// It does not wait. It uninstalls the chart after the test.
func install(t *testing.T, flags ...string) release {
	t.Helper()
	r := newRelease(t)
	r.chart = packedChart(t)
	mustHelm(t, append([]string{"install", "kongdao", r.chart, "--set=image.tag=" + tag()}, flags...)...)
	return r
}

// newRelease creates the namespace.
func newRelease(t *testing.T) release {
	t.Helper()
	if _, err := kubectl(t.Context(), restrictedNamespace(system), "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	r := release{t: t, start: time.Now(), auditOffset: auditSize(t)}
	t.Cleanup(func() {
		if t.Failed() {
			r.explain()
		}
		err := helm(context.Background(), "uninstall", "kongdao", "--ignore-not-found", "--wait")
		_, deleteErr := kubectl(context.Background(), "", "delete", "namespace", system, "--wait", "--ignore-not-found")
		if err := errors.Join(err, deleteErr); err != nil {
			t.Error(err)
		}
	})
	return r
}

// waitReady waits until all replicas of the webhook and the controller are ready.
func (r release) waitReady() {
	r.t.Helper()
	r.waitRollouts()
	r.t.Logf("installed and ready in %v", time.Since(r.start).Round(100*time.Millisecond))
}

// waitRollouts waits until the pods of all Deployments are ready.
func (r release) waitRollouts() {
	r.t.Helper()
	for deployment := range strings.FieldsSeq(r.run("get", "deployments", "-o", "name")) {
		r.run("rollout", "status", deployment, "--timeout="+waitTimeout.String())
	}
}

// upgrade upgrades the release and waits until it is ready.
func (r release) upgrade(flags ...string) {
	r.t.Helper()
	arguments := []string{"upgrade", "kongdao", r.chart, "--wait", "--timeout=3m", "--set=image.tag=" + tag()}
	mustHelm(r.t, append(arguments, flags...)...)
}

// uninstall uninstalls the release and checks that it leaves nothing that blocks pods.
func (r release) uninstall() {
	r.t.Helper()
	mustHelm(r.t, "uninstall", "kongdao", "--wait")
	r.wantNothingLeft()
}

// wantNothingLeft checks that no cluster-wide object is left.
func (r release) wantNothingLeft() {
	r.t.Helper()
	kinds := "mutatingwebhookconfigurations,validatingwebhookconfigurations,validatingadmissionpolicies," +
		"validatingadmissionpolicybindings,clusterroles,clusterrolebindings"
	if left := r.run("get", kinds, "-o", "name", "-l", "app.kubernetes.io/instance=kongdao"); left != "" {
		r.t.Errorf("these objects are left: %s", left)
	}
}

// run runs kubectl in kongdao's namespace.
func (r release) run(arguments ...string) string {
	r.t.Helper()
	out, err := kubectl(r.t.Context(), "", append([]string{"--namespace", system}, arguments...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// allPods and webhookPods are label selectors.
const (
	allPods     = "app.kubernetes.io/instance=kongdao"
	webhookPods = allPods + ",app.kubernetes.io/component=webhook"
)

// pods returns the names of the pods that a label selector selects.
func (r release) pods(selector string) []string {
	r.t.Helper()
	return strings.Fields(r.run("get", "pods", "-o", "name", "-l", selector))
}

// logs returns the log of a replica since its start.
func (r release) logs(pod string) string {
	r.t.Helper()
	return r.run("logs", pod)
}

// explain logs the state of the release after a failed test.
func (r release) explain() {
	for _, command := range []string{
		"get all -o wide", "describe pods",
		"logs --prefix --tail=200 --max-log-requests=20 --selector " + allPods,
	} {
		out, err := kubectl(context.Background(), "", append(strings.Fields(command), "--namespace", system)...)
		r.t.Logf("kubectl %s: %v\n%s", command, err, out)
	}
}

// rotate requests a new CA.
func (r release) rotate(value string) {
	r.t.Helper()
	r.run("annotate", "secret", certificate, "--overwrite", annotations.Rotate+"="+value)
}

// replaceReplicas deletes one replica after another, as a drain does.
func (r release) replaceReplicas() {
	r.t.Helper()
	for _, pod := range r.pods(allPods) {
		r.run("delete", pod, "--wait")
		r.waitRollouts()
	}
}

// wantOnlyRequestsBlocked checks that without replicas of the webhook, only pods that request plugins are denied.
func (r release) wantOnlyRequestsBlocked(s space) {
	r.t.Helper()
	r.scale(0)
	if err := s.create(r.t.Context(), false, false); err != nil {
		r.t.Errorf("without replicas, a pod that requests no plugins is denied: %v", err)
	}
	if err := s.create(r.t.Context(), true, true); err == nil || !strings.Contains(err.Error(), "pods.kongdao.io") {
		r.t.Errorf("without replicas, a pod that requests plugins gives %v; want an error of the webhook call", err)
	}
}

// scale changes the number of replicas of the webhook. With 0 replicas, it waits until the pods are deleted.
func (r release) scale(replicas int) {
	r.t.Helper()
	r.run("scale", "deployment/kongdao-webhook", fmt.Sprintf("--replicas=%d", replicas))
	if replicas == 0 {
		r.run("wait", "pods", "--for=delete", "-l", webhookPods,
			"--timeout="+waitTimeout.String())
	}
}

// tag returns the tag of the image.
func tag() string { return tagOf(image) }

func tagOf(image string) string { return image[strings.LastIndex(image, ":")+1:] }

// packedChart returns the path of the packed chart.
func packedChart(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	chart := filepath.Join(installation.ProjectRoot(), "deploy", "helm", "kongdao")
	mustHelm(t, "package", chart, "--destination", folder)
	archives, err := filepath.Glob(filepath.Join(folder, "*.tgz"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("helm package wrote %q: %v; want one archive", archives, err)
	}
	return archives[0]
}

// helm runs Helm in kongdao's namespace as the administrator.
func helm(ctx context.Context, arguments ...string) error {
	command := exec.CommandContext(ctx, "helm", append(arguments, "--namespace", system)...)
	command.Env = []string{"KUBECONFIG=" + kubeconfig, "HOME=" + homeFolder}
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("helm %s: %w: %s", strings.Join(arguments, " "), err, out)
	}
	return nil
}

func mustHelm(t *testing.T, arguments ...string) {
	t.Helper()
	if err := helm(t.Context(), arguments...); err != nil {
		t.Fatal(err)
	}
}

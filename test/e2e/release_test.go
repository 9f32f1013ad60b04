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

// system is the namespace that kongdao is installed in, and certificate its
// Secret there.
const (
	system      = "kongdao-system"
	certificate = "kongdao-webhook-certificate"
)

// release is kongdao, installed in the cluster.
type release struct {
	t     *testing.T
	chart string
	// audited is how long the audit log was before.
	audited int64
	began   time.Time
}

// install installs the packed chart with the built image, into a namespace
// whose pods have to hold the strictest of the Pod Security Standards. It does
// not wait. After the test all is removed.
func install(t *testing.T, flags ...string) release {
	t.Helper()
	r := newRelease(t)
	r.chart = packedChart(t)
	mustHelm(t, append([]string{"install", "kongdao", r.chart, "--set=image.tag=" + tag()}, flags...)...)
	return r
}

// newRelease makes the namespace.
func newRelease(t *testing.T) release {
	t.Helper()
	made := fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted}}}`, system)
	if _, err := kubectl(t.Context(), made, "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	r := release{t: t, began: time.Now(), audited: auditSize(t)}
	t.Cleanup(func() {
		if t.Failed() {
			r.explain()
		}
		err := helm(context.Background(), "uninstall", "kongdao", "--ignore-not-found", "--wait")
		_, gone := kubectl(context.Background(), "", "delete", "namespace", system, "--wait", "--ignore-not-found")
		if err := errors.Join(err, gone); err != nil {
			t.Error(err)
		}
	})
	return r
}

// rolledOut waits until all replicas are ready.
func (r release) rolledOut() {
	r.t.Helper()
	r.run("rollout", "status", "deployment/kongdao-webhook", "--timeout="+patience.String())
	r.t.Logf("installed and ready in %v", time.Since(r.began).Round(100*time.Millisecond))
}

func (r release) upgrade(flags ...string) {
	r.t.Helper()
	mustHelm(r.t, append([]string{"upgrade", "kongdao", r.chart, "--wait", "--timeout=3m", "--set=image.tag=" + tag()}, flags...)...)
}

// uninstall proves that nothing is left which would block a pod.
func (r release) uninstall() {
	r.t.Helper()
	mustHelm(r.t, "uninstall", "kongdao", "--wait")
	r.wantNothingLeft()
}

func (r release) wantNothingLeft() {
	r.t.Helper()
	if left := r.run("get", "mutatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings,clusterroles,clusterrolebindings", "-o", "name", "-l", "app.kubernetes.io/instance=kongdao"); left != "" {
		r.t.Errorf("there is still %s", left)
	}
}

// run runs kubectl in kongdao's own namespace.
func (r release) run(arguments ...string) string {
	r.t.Helper()
	out, err := kubectl(r.t.Context(), "", append([]string{"--namespace", system}, arguments...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// pods are the names of the replicas.
func (r release) pods() []string {
	r.t.Helper()
	return strings.Fields(r.run("get", "pods", "-o", "name", "-l", "app.kubernetes.io/component=webhook"))
}

// logs is what a replica has said since it started.
func (r release) logs(pod string) string {
	r.t.Helper()
	return r.run("logs", pod)
}

// explain logs what there is to know about a release that failed.
func (r release) explain() {
	for _, command := range []string{"get all -o wide", "describe pods", "logs --prefix --tail=200 --selector app.kubernetes.io/component=webhook"} {
		out, err := kubectl(context.Background(), "", append(strings.Fields(command), "--namespace", system)...)
		r.t.Logf("kubectl %s: %v\n%s", command, err, out)
	}
}

// rotate asks for a new CA.
func (r release) rotate(value string) {
	r.t.Helper()
	r.run("annotate", "secret", certificate, "--overwrite", annotations.Rotate+"="+value)
}

// replaceReplicas deletes one replica after the other, as a drain does.
func (r release) replaceReplicas() {
	r.t.Helper()
	for _, pod := range r.pods() {
		r.run("delete", pod, "--wait")
		r.run("rollout", "status", "deployment/kongdao-webhook", "--timeout="+patience.String())
	}
}

// withoutReplicas proves whom it concerns when all replicas are gone.
func (r release) withoutReplicas(s space) {
	r.t.Helper()
	r.scale(0)
	if err := s.create(r.t.Context(), false, false); err != nil {
		r.t.Errorf("a pod that does not ask, with no replica: %v", err)
	}
	if err := s.create(r.t.Context(), true, true); err == nil || !strings.Contains(err.Error(), "pods.kongdao.io") {
		r.t.Errorf("a pod that asks, with no replica: %v, want that the webhook was not reached", err)
	}
}

// scale changes the number of replicas; of none it waits until they are gone.
func (r release) scale(replicas int) {
	r.t.Helper()
	r.run("scale", "deployment/kongdao-webhook", fmt.Sprintf("--replicas=%d", replicas))
	if replicas == 0 {
		r.run("wait", "pods", "--for=delete", "-l", "app.kubernetes.io/component=webhook", "--timeout="+patience.String())
	}
}

// tag is the image's.
func tag() string { return image[strings.LastIndex(image, ":")+1:] }

// packedChart is the chart as it is published.
func packedChart(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	mustHelm(t, "package", filepath.Join(installation.ProjectRoot(), "deploy", "helm", "kongdao"), "--destination", folder)
	archives, err := filepath.Glob(filepath.Join(folder, "*.tgz"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("helm package made %q: %v", archives, err)
	}
	return archives[0]
}

// helm runs the real one in kongdao's namespace, as the administrator.
func helm(ctx context.Context, arguments ...string) error {
	command := exec.CommandContext(ctx, "helm", append(arguments, "--namespace", system)...)
	command.Env = []string{"KUBECONFIG=" + kubeconfig, "HOME=" + home}
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

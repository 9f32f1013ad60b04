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

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/fixtures"
	"kongdao.io/kongdao/test/installation"
)

// system is the namespace that kongdao is installed in.
const system = "kongdao-system"

// quick makes certificates end within two minutes, so that the steps of a
// rotation are some seconds apart.
const quick = "--set=extraArgs={--ca-lifetime=360s,--cert-lifetime=120s}"

// TestInstall goes the way of a platform engineer: the packed chart with the
// built image is installed, used, upgraded, and removed. It is not parallel:
// a webhook concerns the whole cluster.
func TestInstall(t *testing.T) {
	s := newSpace(t)
	chart := packedChart(t)
	s.apply(`{apiVersion: v1, kind: Namespace, metadata: {name: ` + system + `, labels: {pod-security.kubernetes.io/enforce: restricted}}}`)
	t.Cleanup(func() {
		err := helm(context.Background(), "uninstall", "kongdao", "--ignore-not-found", "--wait")
		_, gone := kubectl(context.Background(), "", "delete", "namespace", system, "--wait", "--ignore-not-found")
		if err := errors.Join(err, gone); err != nil {
			t.Error(err)
		}
	})
	began := time.Now()
	mustHelm(t, "install", "kongdao", chart, "--wait", "--timeout=3m", "--set=image.tag="+tag(), quick)
	t.Logf("installed in %v", time.Since(began).Round(100*time.Millisecond))

	s.annotated(s.pack(fixtures.PluginFolder()))
	s.wantSubPaths(fixtures.Plugin + " " + fixtures.Plugin)
	s.wantFiles(pluginFiles(t))
	mutable := newSpace(t)
	mutable.annotated(mutable.pack(fixtures.PluginFolder(), "--mutable"))
	mutable.wantSubPaths("")
	mutable.wantFiles(pluginFiles(t))
	mustHelm(t, "test", "kongdao", "--timeout=2m")

	underLoad(t, s, func() {
		for round := range 2 {
			s.inSystem("annotate", "secret", "kongdao-webhook-certificate", "--overwrite", fmt.Sprintf("%s=%d", annotations.Rotate, round))
			s.replaceReplicas()
		}
		mustHelm(t, "upgrade", "kongdao", chart, "--wait", "--timeout=3m", "--set=image.tag="+tag(), "--set=logLevel=debug", quick)
	})
	s.withoutReplicas()
	mustHelm(t, "uninstall", "kongdao", "--wait")
	if left := s.run("", "get", "mutatingwebhookconfigurations,clusterroles,clusterrolebindings", "-o", "name", "-l", "app.kubernetes.io/instance=kongdao"); left != "" {
		t.Errorf("helm uninstall leaves %s", left)
	}
	if err := s.create(t.Context(), true, false); err != nil {
		t.Errorf("a pod that asks, when all is gone: %v", err)
	}
}

// annotated has a Deployment run as ever, then asks by one annotation.
func (s space) annotated(sources string) {
	s.t.Helper()
	s.apply(sources)
	plain := kong(s.t)
	plain.Annotations = nil
	// Without the plugin there is nothing to see yet.
	plain.Spec.Template.Spec.InitContainers[0].Command[2] = "ls " + annotations.PluginsFolder + " || exit 0; " + seeAtStart
	s.apply(manifests(s.t, plain))
	s.run("", "rollout", "status", "deployment/kong", "--timeout="+patience.String())
	s.run("", "annotate", "deployment", "kong", annotations.Plugins+"="+fixtures.Plugin)
	s.run("", "rollout", "status", "deployment/kong", "--timeout="+patience.String())
}

// inSystem runs kubectl in kongdao's own namespace.
func (s space) inSystem(arguments ...string) string {
	s.t.Helper()
	out, err := kubectl(s.t.Context(), "", append([]string{"--namespace", system}, arguments...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// replaceReplicas deletes one replica after the other, as a drain does.
func (s space) replaceReplicas() {
	s.t.Helper()
	for pod := range strings.FieldsSeq(s.inSystem("get", "pods", "-o", "name", "-l", "app.kubernetes.io/instance=kongdao")) {
		s.inSystem("delete", pod, "--wait")
		s.inSystem("rollout", "status", "deployment/kongdao-webhook", "--timeout="+patience.String())
	}
}

// withoutReplicas proves whom it concerns when all replicas are gone.
func (s space) withoutReplicas() {
	s.t.Helper()
	s.inSystem("scale", "deployment/kongdao-webhook", "--replicas=0")
	s.inSystem("wait", "pods", "--for=delete", "-l", "app.kubernetes.io/instance=kongdao", "--timeout="+patience.String())
	if err := s.create(s.t.Context(), false, false); err != nil {
		s.t.Errorf("a pod that does not ask, with no replica: %v", err)
	}
	if err := s.create(s.t.Context(), true, true); err == nil || !strings.Contains(err.Error(), "pods.kongdao.io") {
		s.t.Errorf("a pod that asks, with no replica: %v, want that the webhook was not reached", err)
	}
}

// underLoad proves that whatever is done meanwhile, no admission fails.
func underLoad(t *testing.T, s space, done func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	admitted := 0
	go func() {
		defer close(failed)
		for ; ctx.Err() == nil; admitted++ {
			// The last one is not broken off.
			if err := s.create(context.WithoutCancel(ctx), true, true); err != nil {
				failed <- fmt.Errorf("after %d admissions: %w", admitted, err)
				return
			}
		}
	}()
	began := time.Now()
	done()
	stop()
	if err := <-failed; err != nil {
		t.Error(err)
	}
	t.Logf("%d admissions in %v, through rotations, lost replicas and an upgrade", admitted, time.Since(began).Round(time.Second))
}

// create makes a pod in a dry run, that asks for the plugin or not, and says where
// it is not as expected: injected or not.
func (s space) create(ctx context.Context, asks, injects bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1
	admin, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	made := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.name, GenerateName: "load-"},
		Spec:       kong(s.t).Spec.Template.Spec,
	}
	if asks {
		made.Annotations = map[string]string{annotations.Plugins: fixtures.Plugin}
	}
	if err := admin.Create(ctx, made, client.DryRunAll); err != nil {
		return err
	}
	if injected := made.Labels[annotations.Injected] == "true"; injected != injects {
		return fmt.Errorf("a pod is injected: %v, want %v", injected, injects)
	}
	return nil
}

// tag is the image's.
func tag() string { return image[strings.LastIndex(image, ":")+1:] }

// packedChart is the chart as it is published.
func packedChart(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	mustHelm(t, "package", filepath.Join(installation.Root(), "deploy", "helm", "kongdao"), "--destination", folder)
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

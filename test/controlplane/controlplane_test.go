package controlplane

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/process"
)

const assetsVariable = "KUBEBUILDER_ASSETS"

// start starts a control plane for a test. Without the programs the test fails: one that is skipped looks like one that
// passed.
func start(ctx context.Context, t *testing.T, options Options) *ControlPlane {
	t.Helper()
	if options.Assets = os.Getenv(assetsVariable); options.Assets == "" {
		t.Fatalf("%s is not set: run `make test`, which builds Kubernetes' programs and sets it", assetsVariable)
	}
	options.Log = t.Output()
	plane, err := Start(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plane.Stop() })
	return plane
}

func TestADeploymentGetsItsPod(t *testing.T) {
	before := runtime.NumGoroutine()
	plane := start(t.Context(), t, Options{})
	c := newClient(t, plane)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	labels := map[string]string{"app": "kong"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kong"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}},
			},
		},
	}
	if err := c.Create(ctx, deployment); err != nil {
		t.Fatal(err)
	}
	pod := firstPod(ctx, t, c, labels)
	if got := pod.Spec.ServiceAccountName; got != "default" {
		t.Errorf("the pod's service account is %q, want default: is the admission plugin ServiceAccount off?", got)
	}
	if len(pod.Spec.Containers[0].VolumeMounts) != 1 {
		t.Errorf("the pod's container mounts %v, want its service account's token alone", pod.Spec.Containers[0].VolumeMounts)
	}

	processes, dir := plane.processes, plane.dir
	if err := plane.Stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	assertGone(t, processes)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state %s is still there: %v", dir, err)
	}
	// The client of this test keeps its connection until it notices that the server is gone.
	eventually(t, "no goroutine more than before", func() bool { return runtime.NumGoroutine() <= before })
}

func TestAUserMayDoWhatRBACSays(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := filepath.Join(t.TempDir(), "state")
	plane := start(ctx, t, Options{
		Dir: dir, EtcdFlags: map[string]string{"quota-backend-bytes": "67108864"}, APIServerFlags: map[string]string{"v": "1"},
	})

	config, kubeconfig, err := plane.User("jane", "developers")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(kubeconfig); err != nil {
		t.Error(err)
	}
	jane, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = jane.List(ctx, &corev1.PodList{})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "jane") {
		t.Errorf("a user with no role lists pods: %v, want that to be forbidden", err)
	}

	cancel()
	for _, p := range plane.processes {
		<-p.Done()
	}
	assertGone(t, plane.processes)
	if err := plane.Stop(); err != nil {
		t.Errorf("stopping what its context had stopped: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "kube-apiserver.log")); err != nil {
		t.Errorf("the folder that the caller named was not left: %v", err)
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	broken := t.TempDir()
	for _, program := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
		script := "#!/bin/sh\necho the disk is on fire >&2\nexit 3\n"
		if err := os.WriteFile(filepath.Join(broken, program), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		options Options
		want    []string
	}{
		"no folder":           {Options{}, []string{"make test"}},
		"an empty folder":     {Options{Assets: t.TempDir()}, []string{"no etcd", "no kube-apiserver", "no kube-controller-manager", "make test"}},
		"a folder in use":     {Options{Assets: broken, Dir: broken}, []string{broken, "not empty"}},
		"a program that ends": {Options{Assets: broken}, []string{"etcd ended by itself", "exit status 3", "the disk is on fire"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(t.Context(), test.options)
			if err == nil {
				t.Fatal("started")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in the error: %v", want, err)
				}
			}
		})
	}
}

func newClient(t *testing.T, plane *ControlPlane) client.WithWatch {
	t.Helper()
	c, err := client.NewWithWatch(plane.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// firstPod waits until there is a pod with these labels. A watch that starts from nowhere first tells what is there.
func firstPod(ctx context.Context, t *testing.T, c client.WithWatch, labels client.MatchingLabels) *corev1.Pod {
	t.Helper()
	watch, err := c.Watch(ctx, &corev1.PodList{}, client.InNamespace("default"), labels)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	for {
		select {
		case event := <-watch.ResultChan():
			if pod, ok := event.Object.(*corev1.Pod); ok {
				return pod
			}
			t.Fatalf("watching pods: %#v", event)
		case <-ctx.Done():
			t.Fatalf("no pod: %v", context.Cause(ctx))
		}
	}
}

// assertGone asks the kernel. A process that was waited for has no entry any more, so its number is nobody's; were it
// another's by now, this would fail for nothing, which takes the kernel millions of processes.
func assertGone(t *testing.T, processes []*process.Process) {
	t.Helper()
	if len(processes) != 3 {
		t.Fatalf("%d processes, want 3", len(processes))
	}
	for _, p := range processes {
		if err := syscall.Kill(p.Pid(), 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%s (process %d) is still there: %v", p.Name(), p.Pid(), err)
		}
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 64<<10)
			t.Fatalf("not within 10s: %s\n%s", what, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(20 * time.Millisecond)
	}
}

package controlplane

import (
	"context"
	"errors"
	"fmt"
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
	"kongdao.io/kongdao/test/wait"
)

const assetsVariable = "KUBEBUILDER_ASSETS"

// start starts a control plane for a test. It fails the test if the programs are not built, because a skipped test
// looks like a passed one.
func start(ctx context.Context, t *testing.T, options Options) *ControlPlane {
	t.Helper()
	if options.Assets = os.Getenv(assetsVariable); options.Assets == "" {
		t.Fatalf("%s is not set: run `make test`, which builds the Kubernetes programs and sets it", assetsVariable)
	}
	options.Log = t.Output()
	plane, err := Start(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plane.Stop() })
	return plane
}

// TestDeploymentGetsPod also proves that Stop leaves no process, file or goroutine.
func TestDeploymentGetsPod(t *testing.T) {
	goroutinesBefore := runtime.NumGoroutine()
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
		t.Errorf("the pod has service account %q, want default: is the admission plugin ServiceAccount disabled?", got)
	}
	if mounts := pod.Spec.Containers[0].VolumeMounts; len(mounts) != 1 {
		t.Errorf("the container has the mounts %v, want only the token of its service account", mounts)
	}

	processes, dir := plane.processes, plane.dir
	if err := plane.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	wantEnded(t, processes)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state in %s still exists: %v", dir, err)
	}
	// The client of this test keeps its connection until it notices that the server has ended.
	wait.For(t, 10*time.Second, func(context.Context) error {
		if runtime.NumGoroutine() > goroutinesBefore {
			stacks := make([]byte, 64<<10)
			return fmt.Errorf("there are new goroutines:\n%s", stacks[:runtime.Stack(stacks, true)])
		}
		return nil
	})
}

// TestUserHasRBACPermissions also proves that the end of the context stops the control plane, and that Options.Dir
// stays.
func TestUserHasRBACPermissions(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := filepath.Join(t.TempDir(), "state")
	plane := start(ctx, t, Options{
		Dir:            dir,
		EtcdFlags:      map[string]string{"quota-backend-bytes": "67108864"},
		APIServerFlags: map[string]string{"v": "1"},
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
		t.Errorf("a user without a role lists pods: error %v, want Forbidden", err)
	}

	cancel()
	for _, p := range plane.processes {
		<-p.Done()
	}
	wantEnded(t, plane.processes)
	if err := plane.Stop(); err != nil {
		t.Errorf("stop after the end of the context: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "kube-apiserver.log")); err != nil {
		t.Errorf("the files in Options.Dir were removed: %v", err)
	}
}

func TestStartErrorsNameTheProblem(t *testing.T) {
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
		"no assets": {Options{}, []string{"make test"}},
		"empty assets": {
			Options{Assets: t.TempDir()},
			[]string{"no etcd", "no kube-apiserver", "no kube-controller-manager", "make test"},
		},
		"directory not empty": {Options{Assets: broken, Dir: broken}, []string{broken, "not empty"}},
		"program fails": {
			Options{Assets: broken}, []string{"etcd ended unexpectedly", "exit status 3", "the disk is on fire"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(t.Context(), test.options)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q in it", err, want)
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

// firstPod waits for a pod with the labels. A watch without a resource version starts with the existing objects.
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
			t.Fatalf("watch pods: %#v", event)
		case <-ctx.Done():
			t.Fatalf("no pod: %v", context.Cause(ctx))
		}
	}
}

// wantEnded fails the test if a process still exists. The kernel reuses a process ID only after millions of processes.
func wantEnded(t *testing.T, processes []*process.Process) {
	t.Helper()
	if len(processes) != 3 {
		t.Fatalf("%d processes, want 3", len(processes))
	}
	for _, p := range processes {
		if err := syscall.Kill(p.PID(), 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("%s (process %d) still exists: %v", p.Name(), p.PID(), err)
		}
	}
}

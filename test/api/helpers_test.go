package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/fixtures"
	"kongdao.io/kongdao/test/wait"
)

// patience is how long anything is waited for. An idle machine needs a small
// part of it.
const patience = time.Minute

// eventually asks until check is content.
func eventually(t *testing.T, check func(ctx context.Context) error) {
	t.Helper()
	wait.For(t, patience, check)
}

// namespace makes a namespace in which pods can be created.
func namespace(t *testing.T) string {
	t.Helper()
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	create(t, made)
	eventually(t, func(ctx context.Context) error { // P3
		return webhook.Admin.Get(ctx, client.ObjectKey{Namespace: made.Name, Name: "default"}, &corev1.ServiceAccount{})
	})
	return made.Name
}

func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := webhook.Admin.Create(t.Context(), object); err != nil {
			t.Fatalf("create %T %s: %v", object, object.GetName(), err)
		}
	}
}

// unique is a name that no other test has, nor the same one run again: for what
// lies in no namespace of its own.
func unique(name string) string { return name + "-" + string(uuid.NewUUID())[:8] }

// source is the smallest ConfigMap that Kong can load a plugin from.
func source(namespace, plugin string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: "plugin-" + strings.ToLower(plugin),
			Labels: map[string]string{annotations.Plugin: plugin},
		},
		Immutable: new(true),
		Data:      map[string]string{"handler.lua": "return { PRIORITY = 1, VERSION = \"1.0.0\" }", "schema.lua": "return {}"},
	}
}

// daoTest makes the source of the plugin dao-test, with its migrations, in the
// form that names files as Lua names modules.
func daoTest(t *testing.T, namespace string) {
	t.Helper()
	made := source(namespace, "dao-test")
	made.Data = map[string]string{}
	files, err := fixtures.PluginFiles()
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range files {
		made.Data[strings.ReplaceAll(path, "/", ".")] = string(content)
	}
	create(t, made)
}

// pod is a pod of one Kong container that asks for plugins.
func pod(namespace, name, plugins string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Annotations: map[string]string{annotations.Plugins: plugins},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}},
	}
}

// plainPod is a pod that asks for nothing.
func plainPod(namespace, name string) *corev1.Pod {
	plain := pod(namespace, name, "")
	plain.Annotations = nil
	return plain
}

// terminal is what a person sees of a command.
type terminal struct {
	out, errs string
	failed    bool
}

// kubectl runs the real one as an administrator, in a namespace, with stdin.
func kubectl(t *testing.T, namespace, stdin string, arguments ...string) terminal {
	t.Helper()
	arguments = append([]string{"--kubeconfig", plane.Kubeconfig(), "--cache-dir", t.TempDir(), "--namespace", namespace}, arguments...)
	return runProgram(t, stdin, filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl"), arguments...)
}

// mustKubectl is kubectl that has to succeed.
func mustKubectl(t *testing.T, namespace, stdin string, arguments ...string) terminal {
	t.Helper()
	seen := kubectl(t, namespace, stdin, arguments...)
	if seen.failed {
		t.Fatalf("kubectl %s failed: %s", strings.Join(arguments, " "), seen.errs)
	}
	return seen
}

func runProgram(t *testing.T, stdin, path string, arguments ...string) terminal {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, path, arguments...)
	// Nothing of the environment of who runs the tests, and no kubeconfig of theirs.
	command.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	command.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return terminal{out.String(), errs.String(), err != nil}
}

// wantText fails the test for every part that is not in text.
func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in: %s", part, text)
		}
	}
}

// inParallel calls work for 0 to count-1 from some workers at once, and yields
// all errors.
func inParallel(workers, count int, work func(i int) error) error {
	jobs, results := make(chan int), make(chan error)
	for range workers {
		go func() {
			for i := range jobs {
				results <- work(i)
			}
		}()
	}
	go func() {
		defer close(jobs)
		for i := range count {
			jobs <- i
		}
	}()
	var all []error
	for i := range count {
		if err := <-results; err != nil {
			all = append(all, fmt.Errorf("after %d: %w", i, err))
		}
	}
	return errors.Join(all...)
}

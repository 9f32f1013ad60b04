package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/pmezard/go-difflib/difflib"
	"golang.org/x/term"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/test/installation"
)

// screen is where the demo is shown.
type screen struct {
	io.Writer
	colours bool
}

func newScreen(file *os.File) *screen {
	return &screen{Writer: file, colours: term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == ""}
}

// The colours of the screen, as in ECMA-48.
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
)

func (s *screen) paint(colour, text string) string {
	if !s.colours {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (s *screen) heading(text string) { fmt.Fprintf(s, "\n%s\n", s.paint(bold, "# "+text)) }

func (s *screen) step(text string) { fmt.Fprintln(s, text) }

// shell runs commands as a user would type them.
type shell struct {
	*screen
	kubeconfig string
	// path comes before the user's own PATH.
	path string
}

// run shows a command and what it prints.
func (s *shell) run(ctx context.Context, line string) error {
	fmt.Fprintln(s, s.paint(green, "$ "+line))
	command := s.command(ctx, line)
	command.Stdout, command.Stderr = s, s
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	return nil
}

func (s *shell) command(ctx context.Context, line string) *exec.Cmd {
	command := exec.CommandContext(ctx, "sh", "-c", line) //nolint:gosec // the demo's own lines
	command.Dir = installation.ProjectRoot()
	command.Env = append(os.Environ(), "KUBECONFIG="+s.kubeconfig, "PATH="+s.path+string(os.PathListSeparator)+os.Getenv("PATH"))
	return command
}

// firstPod waits until there is a pod with the labels.
func (s *shell) firstPod(ctx context.Context, labels string) (*corev1.Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		var output bytes.Buffer
		command := s.command(ctx, "kubectl get pods -o yaml -l '"+labels+"'")
		command.Stdout, command.Stderr = &output, s
		if err := command.Run(); err != nil {
			return nil, fmt.Errorf("wait for a pod labelled %s: %w", labels, err)
		}
		var list corev1.PodList
		if err := yaml.Unmarshal(output.Bytes(), &list); err != nil {
			return nil, fmt.Errorf("read the pods labelled %s: %w", labels, err)
		}
		if len(list.Items) > 0 {
			return &list.Items[0], nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no pod labelled %s came within %s: %w", labels, patience, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// diff shows two pods of one Deployment against each other.
func (s *shell) diff(before, after *corev1.Pod) error {
	var texts [2]string
	for i, pod := range []*corev1.Pod{before, after} {
		text, err := yaml.Marshal(stable(pod))
		if err != nil {
			return fmt.Errorf("write the pod %s: %w", pod.Name, err)
		}
		texts[i] = string(text)
	}
	lines, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(texts[0]), B: difflib.SplitLines(texts[1]),
		FromFile: "pod/" + before.Name, ToFile: "pod/" + after.Name, Context: 3,
	})
	if err != nil {
		return fmt.Errorf("compare the pods: %w", err)
	}
	for line := range strings.Lines(lines) {
		colour := dim
		switch line[0] {
		case '+':
			colour = green
		case '-':
			colour = red
		}
		fmt.Fprintln(s, s.paint(colour, strings.TrimSuffix(line, "\n")))
	}
	return nil
}

// stable is a pod without what differs from one pod to the next by itself.
func stable(pod *corev1.Pod) any {
	pod = pod.DeepCopy()
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			containers[i].VolumeMounts = without(containers[i].VolumeMounts, func(mount corev1.VolumeMount) string { return mount.Name })
		}
	}
	delete(pod.Labels, "pod-template-hash")
	return map[string]any{
		"metadata": metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations},
		"spec": corev1.PodSpec{
			InitContainers: pod.Spec.InitContainers, Containers: pod.Spec.Containers,
			Volumes: without(pod.Spec.Volumes, func(volume corev1.Volume) string { return volume.Name }),
		},
	}
}

// without leaves out the service account's token, which has a name of its own in each pod.
func without[T any](list []T, name func(T) string) []T {
	var kept []T
	for _, item := range list {
		if !strings.HasPrefix(name(item), "kube-api-access-") {
			kept = append(kept, item)
		}
	}
	return kept
}

package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// checkInjected says what keeps a pod from being one whose named containers,
// and no others, have a plugin, whole and once.
func checkInjected(pod *corev1.Pod, plugin string, containers ...string) error {
	var wrong []error
	if pod.Labels[annotations.Injected] != "true" || pod.Annotations[annotations.InjectionRecord] == "" {
		wrong = append(wrong, fmt.Errorf("pod %s lacks the marks", pod.Name))
	}
	found := 0
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		err := checkContainer(pod, container, plugin)
		switch wanted := slices.Contains(containers, container.Name); {
		case wanted:
			found++
			wrong = append(wrong, err)
		case !errors.Is(err, errNoPlugin):
			wrong = append(wrong, fmt.Errorf("container %s is not to have the plugin, and has something of it: %w", container.Name, err))
		}
	}
	if found != len(containers) {
		wrong = append(wrong, fmt.Errorf("pod %s has %d of the containers %q", pod.Name, found, containers))
	}
	return errors.Join(wrong...)
}

// errNoPlugin: nothing of the plugin is in a container.
var errNoPlugin = errors.New("nothing of the plugin")

func checkContainer(pod *corev1.Pod, container corev1.Container, plugin string) error {
	root := annotations.PluginsFolder + "/" + plugin
	mounts, variables := 0, 0
	for _, mount := range container.VolumeMounts {
		if mount.MountPath != root && mount.MountPath != root+"/migrations" {
			continue
		}
		mounts++
		if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) {
			return fmt.Errorf("container %s mounts volume %s, which is not there", container.Name, mount.Name)
		}
	}
	for _, variable := range container.Env {
		switch {
		case variable.Name == "KONG_PLUGINS" && slices.Contains(strings.Split(variable.Value, ","), plugin),
			variable.Name == "KONG_LUA_PACKAGE_PATH" && strings.Contains(variable.Value, "/opt/?.lua;/opt/?/init.lua"):
			variables++
		}
	}
	wanted := 1
	if plugin == "dao-test" {
		wanted = 2 // the migrations
	}
	switch {
	case mounts == 0 && variables < 2: // the chart sets the path always (K1)
		return fmt.Errorf("container %s: %w", container.Name, errNoPlugin)
	case mounts != wanted || variables != 2:
		return fmt.Errorf("container %s has %d mounts and %d variables for plugin %s, want %d and 2: %v %v",
			container.Name, mounts, variables, plugin, wanted, container.VolumeMounts, container.Env)
	}
	return nil
}

// checkPlain says what keeps a pod from being one that was left alone.
func checkPlain(pod *corev1.Pod) error {
	for name := range pod.Labels {
		if strings.HasPrefix(name, annotations.Prefix) {
			return fmt.Errorf("pod %s has label %s", pod.Name, name)
		}
	}
	if pod.Annotations[annotations.InjectionRecord] != "" {
		return fmt.Errorf("pod %s has annotation %s", pod.Name, annotations.InjectionRecord)
	}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, mount := range container.VolumeMounts {
			if strings.HasPrefix(mount.MountPath, annotations.PluginsFolder) {
				return fmt.Errorf("container %s mounts %s", container.Name, mount.MountPath)
			}
		}
	}
	return nil
}

// podsOf lists the pods with a label app, newest last.
func podsOf(ctx context.Context, namespace, app string) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := webhook.Admin.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{"app": app})
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return pods.Items, err
}

// waitForPod waits for a pod with a label app that check is content with.
func waitForPod(t *testing.T, namespace, app string, check func(pod *corev1.Pod) error) *corev1.Pod {
	t.Helper()
	var found *corev1.Pod
	eventually(t, func(ctx context.Context) error {
		pods, err := podsOf(ctx, namespace, app)
		if err != nil {
			return err
		}
		wrong := fmt.Errorf("no pod of %s", app)
		for i := range pods {
			if wrong = check(&pods[i]); wrong == nil {
				found = &pods[i]
				return nil
			}
		}
		return wrong
	})
	return found
}

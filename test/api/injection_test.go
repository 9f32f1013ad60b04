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
	"kongdao.io/kongdao/test/cluster"
)

// checkInjected returns an error unless exactly the named containers of a pod have a plugin, completely and once.
func checkInjected(pod *corev1.Pod, plugin string, containers ...string) error {
	var errs []error
	if pod.Labels[annotations.Injected] != "true" || pod.Annotations[annotations.InjectionRecord] == "" {
		errs = append(errs, fmt.Errorf("pod %s has no injection record", pod.Name))
	}
	found := 0
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		err := checkContainer(pod, container, plugin)
		switch isWanted := slices.Contains(containers, container.Name); {
		case isWanted:
			found++
			errs = append(errs, err)
		case !errors.Is(err, errNoPlugin):
			errs = append(errs, fmt.Errorf("container %s must not have the plugin, but has a part of it: %w", container.Name,
				err))
		}
	}
	if found != len(containers) {
		errs = append(errs, fmt.Errorf("pod %s has %d of the containers %q", pod.Name, found, containers))
	}
	return errors.Join(errs...)
}

// errNoPlugin means that a container has no part of a plugin.
var errNoPlugin = errors.New("no part of the plugin")

// checkContainer returns an error unless a container has a plugin completely and once.
func checkContainer(pod *corev1.Pod, container corev1.Container, plugin string) error {
	root := annotations.PluginsFolder + "/" + plugin
	mounts, variables := 0, 0
	for _, mount := range container.VolumeMounts {
		if mount.MountPath != root && mount.MountPath != root+"/migrations" {
			continue
		}
		mounts++
		if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) {
			return fmt.Errorf("container %s mounts volume %s, which does not exist", container.Name, mount.Name)
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
		wanted = 2 // one is for the migrations
	}
	switch {
	case mounts == 0 && variables < 2: // the chart always sets the package path (fact K1)
		return fmt.Errorf("container %s: %w", container.Name, errNoPlugin)
	case mounts != wanted || variables != 2:
		return fmt.Errorf("container %s has %d mounts and %d variables for plugin %s, want %d and 2: %v %v",
			container.Name, mounts, variables, plugin, wanted, container.VolumeMounts, container.Env)
	}
	return nil
}

// checkPlain returns an error if the webhook has changed a pod.
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

// podsOf returns the pods with this value of the label app, the newest last.
func podsOf(ctx context.Context, namespace, app string) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := webhook.Admin.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{"app": app})
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return pods.Items, err
}

// waitForPod waits for a pod with this value of the label app for which check returns nil.
func waitForPod(t *testing.T, namespace, app string, check func(pod *corev1.Pod) error) *corev1.Pod {
	t.Helper()
	var found *corev1.Pod
	cluster.Eventually(t, func(ctx context.Context) error {
		pods, err := podsOf(ctx, namespace, app)
		if err != nil {
			return err
		}
		err = fmt.Errorf("no pod has the label app=%s", app)
		for i := range pods {
			if err = check(&pods[i]); err == nil {
				found = &pods[i]
				return nil
			}
		}
		return err
	})
	return found
}

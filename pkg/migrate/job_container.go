package migrate

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// JobContainer is the name of the container of a Job that runs Kong. A mesh can add other containers.
const JobContainer = "kong-migrations"

const (
	prefixVolume = "kongdao-prefix"
	prefixPath   = "/kongdao-prefix"
	tmpVolume    = "kongdao-tmp"
	tmpPath      = "/tmp"
)

// findContainer returns a copy of a container of a pod.
func findContainer(pod *corev1.Pod, name string) (*corev1.Container, error) {
	for _, containers := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range containers {
			if containers[i].Name == name {
				return containers[i].DeepCopy(), nil
			}
		}
	}
	return nil, fmt.Errorf("pod %q has no container %q to run the migrations with", pod.Namespace+"/"+pod.Name, name)
}

// newContainer returns the container that runs the migrations as a Kong container runs Kong. It copies named fields
// only, so that a field of a later Kubernetes version cannot change what a Job does.
func newContainer(from *corev1.Container) corev1.Container {
	run := []string{"/bin/sh", "-c", script}
	container := corev1.Container{
		Name: JobContainer,
		Args: run,

		Image:           from.Image,
		ImagePullPolicy: from.ImagePullPolicy,
		WorkingDir:      from.WorkingDir,
		EnvFrom:         from.EnvFrom,
		Env:             from.Env,
		Resources:       sharedResources(from.Resources),
		SecurityContext: from.SecurityContext,
		VolumeMounts:    slices.DeleteFunc(from.VolumeMounts, isTokenMount),
		VolumeDevices:   from.VolumeDevices,

		// If the script reports nothing, the message is the end of the log.
		TerminationMessagePath:   corev1.TerminationMessagePathDefault,
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
	if len(from.Command) > 0 {
		// The pod does not use the entrypoint of the image either. Otherwise the entrypoint prepares what Kong needs.
		container.Command, container.Args = run, nil
	}
	return container
}

// configurationFile returns the file that a container passes to Kong with -c or --conf, or "".
func configurationFile(container *corev1.Container) string {
	words := slices.Concat(container.Command, container.Args)
	for i, word := range words {
		if file, ok := strings.CutPrefix(word, "--conf="); ok {
			return file
		}
		if (word == "-c" || word == "--conf") && i+1 < len(words) && slices.Contains(words[:i], "kong") {
			return words[i+1]
		}
	}
	return ""
}

// isTokenMount reports whether a mount is the one that the API server adds to every pod for the token of the service
// account.
func isTokenMount(mount corev1.VolumeMount) bool {
	return strings.HasPrefix(mount.Name, "kube-api-access-")
}

// usedVolumes returns the volumes that containers mount.
func usedVolumes(volumes []corev1.Volume, containers []corev1.Container) []corev1.Volume {
	used := map[string]bool{}
	for i := range containers {
		for _, mount := range containers[i].VolumeMounts {
			used[mount.Name] = true
		}
		for _, device := range containers[i].VolumeDevices {
			used[device.Name] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(volumes), func(volume corev1.Volume) bool { return !used[volume.Name] })
}

// addWritableFolders adds an empty Kong prefix (fact K15), and /tmp if the container has none. The root filesystem may
// be read-only.
func addWritableFolders(container *corev1.Container, volumes *[]corev1.Volume) {
	add := func(volume, mountPath string) {
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: mountPath})
		*volumes = append(*volumes, corev1.Volume{
			Name: volume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
		})
	}
	add(prefixVolume, prefixPath)
	if !slices.ContainsFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool {
		return path.Clean(mount.MountPath) == tmpPath
	}) {
		add(tmpVolume, tmpPath)
	}
}

// scriptVariables returns the variables that the script reads, and those of Kong that a Job needs.
func scriptVariables(
	migration *v1alpha1.PluginMigration, start JobStart, configuration string, settings Settings,
) []corev1.EnvVar {
	return []corev1.EnvVar{
		{Name: "KONG_PREFIX", Value: prefixPath},
		// In milliseconds, for `kong migrations list`. The other commands have --db-timeout.
		{Name: "KONG_PG_TIMEOUT", Value: "5000"},
		{Name: "KONGDAO_CONF", Value: configuration},
		{Name: "KONGDAO_EXPECT", Value: strings.Join(expectedLines(migration.Spec.Plugins), "\n")},
		{Name: "KONGDAO_STEP", Value: string(start.Step)},
		{Name: "KONGDAO_FINISH", Value: string(start.Finish)},
		{Name: "KONGDAO_PENDING", Value: strings.Join(start.Pending, "\n")},
		{Name: "KONGDAO_TIMEOUT", Value: strconv.FormatInt(settings.TimeoutSeconds, 10)},
		{Name: "KONGDAO_WAIT", Value: strconv.FormatInt(waitSeconds(start.Attempt, settings), 10)},
		{Name: "KONGDAO_DEADLINE", Value: strconv.FormatInt(settings.DeadlineSeconds, 10)},
		{Name: "KONGDAO_TRIES", Value: "4"},
	}
}

// minWaitSeconds is how long the first Job waits for a database before the status shows Kong's output.
const minWaitSeconds = 30

// waitSeconds returns how long a Job waits for the database. Each Job waits twice as long as the one before it, so an
// unreachable database causes few Jobs.
func waitSeconds(attempt int32, settings Settings) int64 {
	return min(int64(minWaitSeconds)<<max(min(attempt-1, maxDoublings), 0), settings.DeadlineSeconds)
}

// setVariables sets variables of a container. A variable keeps its position, because only later variables can refer to
// it (fact P2). A further variable of the same name is removed.
func setVariables(container *corev1.Container, variables []corev1.EnvVar) {
	for _, variable := range variables {
		variable.Value = strings.ReplaceAll(variable.Value, "$", "$$")
		hasName := func(other corev1.EnvVar) bool { return other.Name == variable.Name }
		at := slices.IndexFunc(container.Env, hasName)
		if at < 0 {
			container.Env = append(container.Env, variable)
			continue
		}
		container.Env[at] = variable
		container.Env = append(container.Env[:at+1], slices.DeleteFunc(container.Env[at+1:], hasName)...)
	}
	// The script sets a variable from the file that its _FILE variable names, unless both are set.
	container.Env = slices.DeleteFunc(container.Env, func(other corev1.EnvVar) bool {
		name, isFile := strings.CutSuffix(other.Name, "_FILE")
		return isFile && slices.ContainsFunc(variables, func(own corev1.EnvVar) bool { return own.Name == name })
	})
}

// expectedLines returns the migrations that Kong must list, one line for each plugin: "dao-test: 000_base, 001_next".
// It leaves out names that would break the format. If no name is left, the script expects the plugin only.
func expectedLines(plugins []v1alpha1.PluginMigrations) []string {
	lines := make([]string, len(plugins))
	for i, plugin := range plugins {
		var names []string
		for _, file := range plugin.Migrations {
			if !strings.ContainsAny(file.Name, ",: \n\t\r") {
				names = append(names, file.Name)
			}
		}
		lines[i] = plugin.Name + ": " + strings.Join(names, ", ")
		if len(names) == 0 {
			lines[i] = plugin.Name + ":"
		}
	}
	return lines
}

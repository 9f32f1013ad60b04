package mutate

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
)

// RecordMismatches returns how a container differs from what an injection of the recorded releases leaves. It returns
// nil for every container that runs Kong in a pod that was really injected. Each release must be in KONG_PLUGINS, and
// its folders must be mounted. A volume that kongdao manages must have only ConfigMaps that the record names. If the
// container mounts another volume there, an injection keeps it, and the Job reports migrations that Kong does not list.
func RecordMismatches(pod Pod, container *Container, record InjectionRecord) []string {
	var mismatches []string
	for _, release := range record.Releases {
		if !loadsPlugin(container, release.Plugin) {
			mismatches = append(mismatches, fmt.Sprintf("KONG_PLUGINS does not name plugin %q", release.Plugin))
		}
		folders := []string{annotations.PluginsFolder + "/" + release.Plugin}
		if release.Migrations != "" {
			folders = append(folders, folders[0]+"/"+annotations.MigrationsFolder)
		}
		for _, folder := range folders {
			if problem := mountMismatch(pod, container, release, folder); problem != "" {
				mismatches = append(mismatches, fmt.Sprintf("%q %s", folder, problem))
			}
		}
	}
	return mismatches
}

// loadsPlugin reports whether KONG_PLUGINS names a plugin.
func loadsPlugin(container *Container, plugin string) bool {
	value := container.Env.lookup(envPlugins)
	if value == nil {
		return false
	}
	for element := range strings.SplitSeq(value.Value, ",") {
		if strings.Trim(element, space) == plugin {
			return true
		}
	}
	return false
}

// mountMismatch returns how the mount at a folder of a release differs from an injected one, or "".
func mountMismatch(pod Pod, container *Container, release ReleaseRecord, folder string) string {
	at := slices.IndexFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool {
		return path.Clean(mount.MountPath) == folder
	})
	if at < 0 {
		return "is not mounted"
	}
	mount := container.VolumeMounts[at]
	at = slices.IndexFunc(pod.Volumes, func(volume Volume) bool { return volume.Name == mount.Name })
	if at < 0 {
		return fmt.Sprintf("is mounted from volume %q, which the pod does not have", mount.Name)
	}
	volume := pod.Volumes[at]
	if isManaged(volume.Name) && !projectsOnly(volume, mount.SubPath, release.Sources) {
		return fmt.Sprintf("is mounted from volume %q with files that are not from ConfigMaps of the release", volume.Name)
	}
	return ""
}

// projectsOnly reports whether a subPath of a managed volume has files from ConfigMaps with the given names, and no
// others. An empty subPath is the whole volume.
func projectsOnly(volume Volume, subPath string, configMaps []string) bool {
	if volume.Projected == nil {
		return false
	}
	found := false
	for _, source := range volume.Projected.Sources {
		if source.ConfigMap == nil || len(source.ConfigMap.Items) == 0 {
			return false // an injection names each file of a ConfigMap
		}
		isBelow := subPath == "" || slices.ContainsFunc(source.ConfigMap.Items, func(item corev1.KeyToPath) bool {
			return strings.HasPrefix(path.Clean(item.Path), subPath+"/")
		})
		if !isBelow {
			continue
		}
		if found = slices.Contains(configMaps, source.ConfigMap.Name); !found {
			return false
		}
	}
	return found
}

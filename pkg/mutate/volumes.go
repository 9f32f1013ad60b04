package mutate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// volumesOfOthers returns the managed volumes that containers mount which are not targets. They must stay.
func volumesOfOthers(pod Pod, targets []target) map[string]bool {
	used := map[string]bool{}
	for candidate := range allContainers(pod) {
		if slices.ContainsFunc(targets, func(target target) bool { return target.path == candidate.path }) {
			continue
		}
		for _, mount := range candidate.container.VolumeMounts {
			if isManaged(mount.Name) {
				used[mount.Name] = true
			}
		}
	}
	return used
}

// sourceOf returns the field that defines a volume of the pod, "" for an unknown volume.
func (i *injector) sourceOf(name string) string {
	index := slices.IndexFunc(i.pod.Volumes, func(volume Volume) bool { return volume.Name == name })
	if index < 0 {
		return ""
	}
	return i.pod.Volumes[index].Source
}

// injectVolumes patches the volumes of the pod. It adds and corrects the managed volumes that are used, and removes
// those that are not: the pod would wait for their ConfigMaps (fact V6).
func (i *injector) injectVolumes() {
	existing := i.pod.Volumes
	byName := make(map[string]int, len(existing))
	for index, old := range existing {
		byName[old.Name] = index
	}
	var missing []volume
	for _, volume := range i.layout.volumes {
		if !i.usedVolumes[volume.Name] {
			continue
		}
		index, exists := byName[volume.Name]
		switch {
		case !exists:
			missing = append(missing, volume)
		case !existing[index].equals(volume):
			i.patch = append(i.patch, replace(element("/spec/volumes", index), volume))
		}
	}
	for index, old := range slices.Backward(existing) { // from the end, because a removal moves what follows
		if isManaged(old.Name) && !i.usedVolumes[old.Name] {
			i.patch = append(i.patch, remove(element("/spec/volumes", index)))
		}
	}
	i.patch = appendAll(i.patch, "/spec/volumes", len(existing), missing)
}

// equals reports whether the volume has the same files as a volume of the layout. The API server adds defaults to a
// volume; they do not count.
func (v Volume) equals(wanted volume) bool {
	if v.Projected == nil || len(v.Projected.Sources) != len(wanted.Projected.Sources) ||
		v.Projected.DefaultMode != nil && *v.Projected.DefaultMode != corev1.ProjectedVolumeSourceDefaultMode {
		return false
	}
	for i, source := range v.Projected.Sources {
		want := wanted.Projected.Sources[i].ConfigMap
		if source.ConfigMap == nil || source.ConfigMap.Name != want.Name ||
			source.ConfigMap.Optional != nil && *source.ConfigMap.Optional ||
			!slices.EqualFunc(source.ConfigMap.Items, want.Items, equalItems) {
			return false
		}
	}
	return true
}

func equalItems(a, b corev1.KeyToPath) bool {
	return a.Key == b.Key && a.Path == b.Path && a.Mode == nil
}

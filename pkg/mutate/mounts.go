package mutate

import (
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
)

// injectMounts appends the operations that give the container the mounts and
// take from it those of ours that are not wanted, as a copy of an injected pod
// may have. It notes in inUse which volumes of ours are mounted then. A path
// that the container already mounts from elsewhere is left alone.
func (t target) injectMounts(patch []Operation, wanted []mount, volumes []Volume, inUse map[string]bool, found *notes) []Operation {
	existing := t.container.VolumeMounts
	at := make(map[string]int, len(existing))
	for i, old := range existing {
		at[path.Clean(old.MountPath)] = i
	}
	missing := make([]mount, 0, len(wanted))
	kept := make([]bool, len(existing))
	whole := "" // the path of the last mount of ours; what is wrong with it is mended here
	for _, mount := range wanted {
		i, mounted := at[mount.MountPath]
		if mounted {
			kept[i] = true
		}
		switch {
		case !mounted:
			if outer := enclosing(existing, at, mount.MountPath); outer != nil && path.Clean(outer.MountPath) != whole {
				found.nested(t.container, mount, outer, sourceOf(volumes, outer.Name))
			}
			missing = append(missing, mount)
		case !isOurs(existing[i].Name):
			continue
		case existing[i].Name != mount.Name || existing[i].SubPath != mount.SubPath || existing[i].SubPathExpr != "":
			patch = append(patch, replace(index(t.path+"/volumeMounts", i), mount))
		}
		inUse[mount.Name], whole = true, mount.MountPath
	}
	for i, old := range slices.Backward(existing) { // from the end, for a removal moves what is behind
		if isOurs(old.Name) && !kept[i] {
			patch = append(patch, remove(index(t.path+"/volumeMounts", i)))
		}
	}
	return appendAll(patch, t.path+"/volumeMounts", len(existing), missing)
}

// outdated yields the plugins whose folders the container mounts from volumes
// of ours and that are wanted no more.
func (t target) outdated(wanted []string) []string {
	var plugins []string
	for _, mount := range t.container.VolumeMounts {
		folder := path.Clean(mount.MountPath)
		if plugin := path.Base(folder); isOurs(mount.Name) && path.Dir(folder) == annotations.PluginsFolder && !slices.Contains(wanted, plugin) {
			plugins = append(plugins, plugin)
		}
	}
	return plugins
}

// mountedByOthers yields the volumes of ours that containers mount which are no
// targets: they are nobody's to take away.
func mountedByOthers(pod Pod, targets []target) map[string]bool {
	mounted := map[string]bool{}
	for found := range allContainers(pod) {
		if slices.ContainsFunc(targets, func(target target) bool { return target.path == found.path }) {
			continue
		}
		for _, mount := range found.container.VolumeMounts {
			if isOurs(mount.Name) {
				mounted[mount.Name] = true
			}
		}
	}
	return mounted
}

// enclosing yields the mount in which folder lies, nil where there is none.
func enclosing(mounts []corev1.VolumeMount, at map[string]int, folder string) *corev1.VolumeMount {
	for folder != "/" && folder != "." {
		folder = path.Dir(folder)
		if i, mounted := at[folder]; mounted {
			return &mounts[i]
		}
	}
	return nil
}

// sourceOf yields what the volume of that name is, "" where there is none.
func sourceOf(volumes []Volume, name string) string {
	i := slices.IndexFunc(volumes, func(volume Volume) bool { return volume.Name == name })
	if i < 0 {
		return ""
	}
	return volumes[i].Source
}

// injectVolumes appends the operations that give the pod the volumes in use,
// make those that carry a name of ours be what the request says, and take away
// those of them that nothing mounts: the pod would wait for their ConfigMaps
// (V6).
func injectVolumes(patch []Operation, existing []Volume, wanted []volume, inUse map[string]bool) []Operation {
	at := make(map[string]int, len(existing))
	for i, old := range existing {
		at[old.Name] = i
	}
	var missing []volume
	for _, volume := range wanted {
		if !inUse[volume.Name] {
			continue
		}
		i, there := at[volume.Name]
		switch {
		case !there:
			missing = append(missing, volume)
		case !existing[i].holds(volume):
			patch = append(patch, replace(index("/spec/volumes", i), volume))
		}
	}
	for i, old := range slices.Backward(existing) {
		if isOurs(old.Name) && !inUse[old.Name] {
			patch = append(patch, remove(index("/spec/volumes", i)))
		}
	}
	return appendAll(patch, "/spec/volumes", len(existing), missing)
}

// holds reports whether the volume brings just what wanted would. The API
// server adds defaults to what a patch wrote; these make no difference.
func (v Volume) holds(wanted volume) bool {
	if v.Projected == nil || len(v.Projected.Sources) != len(wanted.Projected.Sources) ||
		v.Projected.DefaultMode != nil && *v.Projected.DefaultMode != corev1.ProjectedVolumeSourceDefaultMode {
		return false
	}
	for i, source := range v.Projected.Sources {
		want := wanted.Projected.Sources[i].ConfigMap
		if source.ConfigMap == nil || source.ConfigMap.Name != want.Name ||
			source.ConfigMap.Optional != nil && *source.ConfigMap.Optional ||
			!slices.EqualFunc(source.ConfigMap.Items, want.Items, sameItem) {
			return false
		}
	}
	return true
}

func sameItem(a, b corev1.KeyToPath) bool { return a.Key == b.Key && a.Path == b.Path && a.Mode == nil }

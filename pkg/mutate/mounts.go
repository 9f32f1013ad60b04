package mutate

import (
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// injectMounts patches the mounts of a container. It removes outdated mounts of managed volumes, which a copy of an
// injected pod may have. It does not change a path where the container mounts another volume.
func (i *injector) injectMounts(target target) {
	existing := target.container.VolumeMounts
	byPath := make(map[string]int, len(existing))
	for index, old := range existing {
		byPath[path.Clean(old.MountPath)] = index
	}
	missing := make([]mount, 0, len(i.layout.mounts))
	isKept := make([]bool, len(existing))
	injectedPath := "" // the last path that has a managed volume after the injection
	for _, mount := range i.layout.mounts {
		index, exists := byPath[mount.MountPath]
		if exists {
			isKept[index] = true
		}
		switch {
		case !exists:
			outer := enclosingMount(existing, byPath, mount.MountPath)
			if outer != nil && path.Clean(outer.MountPath) != injectedPath {
				i.checkNested(target.container, mount, outer)
			}
			missing = append(missing, mount)
		case !isManaged(existing[index].Name):
			continue
		case !mount.equals(existing[index]):
			i.patch = append(i.patch, replace(element(target.path+"/volumeMounts", index), mount))
		}
		i.usedVolumes[mount.Name], injectedPath = true, mount.MountPath
		i.denyFilesInside(target.container, mount)
	}
	for index, old := range slices.Backward(existing) { // from the end, because a removal moves what follows
		if isManaged(old.Name) && !isKept[index] {
			i.patch = append(i.patch, remove(element(target.path+"/volumeMounts", index)))
		}
	}
	i.patch = appendAll(i.patch, target.path+"/volumeMounts", len(existing), missing)
}

// denyFilesInside denies single files that the container mounts inside a folder of the plugin. For each, kubelet would
// create an empty directory in the volume of the folder, and the container would not start (fact V7).
func (i *injector) denyFilesInside(container *Container, folder mount) {
	for _, existing := range container.VolumeMounts {
		file := path.Clean(existing.MountPath)
		isFile := existing.SubPath != "" || existing.SubPathExpr != ""
		if !isFile || isManaged(existing.Name) || path.Dir(file) != folder.MountPath || path.Ext(file) == "" {
			continue
		}
		i.denials = append(i.denials, denial.New(denial.BlockedMount,
			"container %q: volume %q is mounted at %q, a single file in a folder that kongdao mounts; "+
				"add the file to the plugin, or mount your own folder at %q",
			container.Name, existing.Name, existing.MountPath, folder.MountPath))
	}
}

// equals reports whether an existing mount at the same path is the same mount.
func (m mount) equals(existing corev1.VolumeMount) bool {
	return existing.Name == m.Name && existing.SubPath == m.SubPath && existing.SubPathExpr == ""
}

// outdatedPlugins returns the plugins that the container mounts from managed volumes, but the injection does not bring.
func (i *injector) outdatedPlugins(container *Container) []string {
	var plugins []string
	for _, mount := range container.VolumeMounts {
		folder := path.Clean(mount.MountPath)
		if !isManaged(mount.Name) || path.Dir(folder) != annotations.PluginsFolder {
			continue
		}
		if plugin := path.Base(folder); !slices.Contains(i.layout.plugins, plugin) {
			plugins = append(plugins, plugin)
		}
	}
	return plugins
}

// enclosingMount returns the innermost mount that contains a folder, nil if there is none.
func enclosingMount(mounts []corev1.VolumeMount, byPath map[string]int, folder string) *corev1.VolumeMount {
	for folder != "/" && folder != "." {
		folder = path.Dir(folder)
		if index, exists := byPath[folder]; exists {
			return &mounts[index]
		}
	}
	return nil
}

// checkNested checks a mount inside another mount of the pod. In a whole ConfigMap or projected volume, kubelet creates
// the mount point (fact V3). In a subPath of one it cannot (fact V4). In other volumes the directory must exist.
func (i *injector) checkNested(container *Container, inner mount, outer *corev1.VolumeMount) {
	isWhole := outer.SubPath == "" && outer.SubPathExpr == ""
	switch i.sourceOf(outer.Name) {
	case "":
		// The API server rejects a pod that mounts a volume which it does not have.
		return
	case "configMap", "secret", "projected", "downwardAPI":
		if !isWhole {
			i.denials = append(i.denials, denial.New(denial.BlockedMount,
				"container %q: volume %q is mounted at %q by subPath, and %q cannot be mounted inside; "+
					"remove that mount, because kongdao mounts the whole plugin, or mount the whole volume",
				container.Name, outer.Name, outer.MountPath, inner.MountPath))
		}
		return
	case "emptyDir":
		if isWhole {
			return
		}
	}
	i.warnings.add(container, "volume %q is mounted at %q and must contain the directory %q; "+
		"create it, because otherwise no container starts", outer.Name, outer.MountPath, inner.MountPath)
}

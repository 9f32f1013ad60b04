package mutate

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

// layout is what each Kong container mounts for the releases, and the volumes for this. A whole projected volume has
// the plugin's files without its migrations. The migrations are mounted inside it: kubelet creates the mount point in a
// whole volume (fact V3), which must not contain the directory itself (fact V5).
//
// If all sources of the migrations are immutable, the migrations are mounted by subPath from a volume that all plugins
// share. Otherwise they are a whole volume, because a directory that is mounted by subPath becomes empty when its
// ConfigMap changes (fact V1).
type layout struct {
	plugins []string
	mounts  []mount
	volumes []volume
}

// These types have only the fields that a patch writes, because a smaller patch costs the API server less. A mount of a
// projected volume is always read-only.
type (
	mount struct {
		Name      string `json:"name"`
		MountPath string `json:"mountPath"`
		SubPath   string `json:"subPath,omitempty"`
	}
	volume struct {
		Name      string    `json:"name"`
		Projected projected `json:"projected"`
	}
	projected struct {
		Sources []projection `json:"sources"`
	}
	projection struct {
		ConfigMap configMapProjection `json:"configMap"`
	}
	configMapProjection struct {
		Name  string             `json:"name"`
		Items []corev1.KeyToPath `json:"items"`
	}
)

func newLayout(releases []*catalog.Release) layout {
	layout := layout{
		plugins: make([]string, 0, len(releases)),
		mounts:  make([]mount, 0, 2*len(releases)),
		volumes: make([]volume, 0, len(releases)+1),
	}
	shared := volume{Name: migrationsVolume}
	for _, release := range releases {
		files, migrations, immutable := splitMigrations(release.Files)
		folder := annotations.PluginsFolder + "/" + release.Plugin
		name := volumeName(release.Plugin)
		layout.plugins = append(layout.plugins, release.Plugin)
		layout.volumes = append(layout.volumes, volume{name, projected{appendProjections(nil, files, "")}})
		layout.mounts = append(layout.mounts, mount{Name: name, MountPath: folder})
		if len(migrations) == 0 {
			continue
		}
		nested := mount{Name: migrationsVolume, MountPath: folder + "/" + annotations.MigrationsFolder}
		if immutable {
			nested.SubPath = release.Plugin
			shared.Projected.Sources = appendProjections(shared.Projected.Sources, migrations, release.Plugin+"/")
		} else {
			nested.Name = name + "-" + annotations.MigrationsFolder
			layout.volumes = append(layout.volumes, volume{nested.Name, projected{appendProjections(nil, migrations, "")}})
		}
		layout.mounts = append(layout.mounts, nested)
	}
	if len(shared.Projected.Sources) > 0 {
		layout.volumes = append(layout.volumes, shared)
	}
	return layout
}

// splitMigrations separates the migrations from the other files of a release. It reports whether all sources of the
// migrations are immutable.
func splitMigrations(all []catalog.File) (files, migrations []catalog.File, immutable bool) {
	first, end := len(all), 0
	immutable = true
	for i, file := range all { // sorted by path, so that the migrations are consecutive
		if file.IsMigration() {
			first, end = min(first, i), i+1
			immutable = immutable && file.Immutable
		}
	}
	if end == 0 {
		return all, nil, false
	}
	files = append(append(make([]catalog.File, 0, len(all)), all[:first]...), all[end:]...)
	return files, all[first:end], immutable
}

// appendProjections appends one projection per ConfigMap. They put the files below a prefix. The path of a migration is
// relative to the folder of the migrations.
func appendProjections(sources []projection, files []catalog.File, prefix string) []projection {
	begin := len(sources)
	for _, file := range files {
		i := begin
		for i < len(sources) && sources[i].ConfigMap.Name != file.Source {
			i++
		}
		if i == len(sources) {
			sources = append(sources, projection{configMapProjection{
				Name: file.Source, Items: make([]corev1.KeyToPath, 0, len(files)),
			}})
		}
		path := prefix + strings.TrimPrefix(file.Path, annotations.MigrationsFolder+"/")
		sources[i].ConfigMap.Items = append(sources[i].ConfigMap.Items, corev1.KeyToPath{Key: file.Key, Path: path})
	}
	return sources
}

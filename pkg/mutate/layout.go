package mutate

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

// volumePrefix begins the name of every volume of ours. A volume that carries
// it is made to be what the request says.
const volumePrefix = "kongdao-"

// migrationsVolume holds the migrations of all plugins whose sources are
// immutable, each under its plugin's name.
const migrationsVolume = volumePrefix + annotations.MigrationsFolder

func isOurs(volume string) bool { return strings.HasPrefix(volume, volumePrefix) }

// layout is what a Kong container mounts for the releases, and the volumes
// behind it (facts V1 to V5): a plugin's files without its migrations as one
// whole projected volume; in it, as a mount of their own, the migrations. These
// come by subPath from a volume that all plugins share where every source of
// them is immutable, for under a subPath a change would leave an empty folder
// (V1); else as a whole volume.
type layout struct {
	mounts  []mount
	volumes []volume
}

// mount and volume are what a patch writes: no more than they say, for the API
// server's work grows with it. A mount of a projected volume is read-only as
// it is.
type mount struct {
	Name      string `json:"name"`
	MountPath string `json:"mountPath"`
	SubPath   string `json:"subPath,omitempty"`
}

type volume struct {
	Name      string    `json:"name"`
	Projected projected `json:"projected"`
}

type projected struct {
	Sources []projection `json:"sources"`
}

type projection struct {
	ConfigMap configMapProjection `json:"configMap"`
}

type configMapProjection struct {
	Name  string             `json:"name"`
	Items []corev1.KeyToPath `json:"items"`
}

func layoutOf(releases []*catalog.Release) layout {
	wanted := layout{
		mounts:  make([]mount, 0, 2*len(releases)),
		volumes: make([]volume, 0, len(releases)+1),
	}
	shared := volume{Name: migrationsVolume}
	for _, release := range releases {
		files, migrations, immutable := split(release.Files)
		root := annotations.PluginsFolder + "/" + release.Plugin
		name := volumeName(release.Plugin)
		wanted.volumes = append(wanted.volumes, volume{name, projected{projections(nil, files, "")}})
		wanted.mounts = append(wanted.mounts, mount{Name: name, MountPath: root})
		if len(migrations) == 0 {
			continue
		}
		nested := mount{Name: migrationsVolume, MountPath: root + "/" + annotations.MigrationsFolder}
		if immutable {
			nested.SubPath = release.Plugin
			shared.Projected.Sources = projections(shared.Projected.Sources, migrations, release.Plugin+"/")
		} else {
			nested.Name = name + "-" + annotations.MigrationsFolder
			wanted.volumes = append(wanted.volumes, volume{nested.Name, projected{projections(nil, migrations, "")}})
		}
		wanted.mounts = append(wanted.mounts, nested)
	}
	if len(shared.Projected.Sources) > 0 {
		wanted.volumes = append(wanted.volumes, shared)
	}
	return wanted
}

// split parts the migrations from a release's other files, and says whether
// all of the migrations are from immutable sources.
func split(all []catalog.File) (files, migrations []catalog.File, immutable bool) {
	first, last := len(all), 0
	immutable = true
	for i, file := range all { // sorted by path: the migrations lie together
		if file.IsMigration() {
			first, last = min(first, i), i+1
			immutable = immutable && file.Immutable
		}
	}
	if last == 0 {
		return all, nil, false
	}
	files = append(append(make([]catalog.File, 0, len(all)), all[:first]...), all[last:]...)
	return files, all[first:last], immutable
}

// projections appends to sources what brings the files under prefix, one
// projection a ConfigMap. A migration's path is relative to its own folder.
func projections(sources []projection, files []catalog.File, prefix string) []projection {
	begin := len(sources)
	for _, file := range files {
		at := begin
		for at < len(sources) && sources[at].ConfigMap.Name != file.Source {
			at++
		}
		if at == len(sources) {
			sources = append(sources, projection{configMapProjection{
				Name: file.Source, Items: make([]corev1.KeyToPath, 0, len(files)),
			}})
		}
		path := prefix + strings.TrimPrefix(file.Path, annotations.MigrationsFolder+"/")
		sources[at].ConfigMap.Items = append(sources[at].ConfigMap.Items, corev1.KeyToPath{Key: file.Key, Path: path})
	}
	return sources
}

// longestVolume is how long the name of a plugin's own volume may be, so that
// "-migrations" behind it still makes a DNS label.
const longestVolume = 63 - len("-"+annotations.MigrationsFolder)

// volumeName is "kongdao-" and the plugin's name where that makes a name which
// no other plugin's volumes have; else the name is made fit and ends in a
// hash. Names that end as hashed ones do, or as those of migrations, are
// hashed too, so that no two plugins meet.
func volumeName(plugin string) string {
	name := volumePrefix + plugin
	if len(name) <= longestVolume && isDNSLabel(plugin) && !endsInHash(plugin) &&
		plugin != annotations.MigrationsFolder && !strings.HasSuffix(plugin, "-"+annotations.MigrationsFolder) {
		return name
	}
	sum := sha256.Sum256([]byte(plugin))
	fit := strings.ReplaceAll(strings.ToLower(plugin), "_", "-")
	fit = fit[:min(len(fit), longestVolume-len(volumePrefix)-1-hashLength)]
	return volumePrefix + strings.TrimRight(fit, "-") + "-" + hex.EncodeToString(sum[:])[:hashLength]
}

const hashLength = 10

func endsInHash(plugin string) bool {
	dash := strings.LastIndexByte(plugin, '-')
	tail := plugin[dash+1:]
	return dash >= 0 && len(tail) == hashLength && strings.Trim(tail, "0123456789abcdef") == ""
}

// isDNSLabel tells of a plugin's name, which is a label's value, whether it
// may stand in a volume's name.
func isDNSLabel(plugin string) bool {
	return !strings.Contains(plugin, "_") && strings.ToLower(plugin) == plugin
}

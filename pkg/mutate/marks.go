package mutate

import (
	"encoding/json"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

// Mark is the value of annotation kongdao.io/injection.
type Mark struct {
	Releases []ReleaseMark `json:"releases"`
}

// ReleaseMark says which release a pod was given.
type ReleaseMark struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest"`
	// Migrations is the digest of the migrations, "" where there are none.
	Migrations string   `json:"migrations,omitempty"`
	Sources    []string `json:"sources"`
	// Library is the namespace that the sources are copies from, "" for the pod's own.
	Library string `json:"library,omitempty"`
}

// MarkOf is the mark that an injection of the releases leaves.
func MarkOf(releases []*catalog.Release) Mark {
	mark := Mark{Releases: make([]ReleaseMark, len(releases))}
	for i, release := range releases {
		sources := make([]string, len(release.Sources))
		for j, source := range release.Sources {
			sources[j] = source.Name
		}
		mark.Releases[i] = ReleaseMark{release.Plugin, release.Version, release.Digest, release.MigrationsDigest, sources, release.Library}
	}
	return mark
}

// ParseMark reads what annotations say that a pod was given. Whoever makes pods can
// write that.
func ParseMark(of map[string]string) (Mark, error) {
	var mark Mark
	err := json.Unmarshal([]byte(of[annotations.Injection]), &mark)
	return mark, err
}

func injectMarks(patch []Operation, pod Pod, releases []*catalog.Release) []Operation {
	patch = setMember(patch, "/metadata/labels", pod.HasLabels, pod.Labels, annotations.Injected, "true")
	text, err := json.Marshal(MarkOf(releases))
	if err != nil {
		panic(err) // strings alone can always be marshalled
	}
	return setMember(patch, "/metadata/annotations", pod.HasAnnotations, pod.Annotations, annotations.Injection, string(text))
}

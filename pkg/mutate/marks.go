package mutate

import (
	"encoding/json"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

// InjectionRecord is the value of annotation kongdao.io/injection.
type InjectionRecord struct {
	Releases []ReleaseRecord `json:"releases"`
}

// ReleaseRecord says which release a pod was given.
type ReleaseRecord struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest"`
	// Migrations is the digest of the migrations, "" where there are none.
	Migrations string   `json:"migrations,omitempty"`
	Sources    []string `json:"sources"`
	// Library is the namespace that the sources are copies from, "" for the pod's own.
	Library string `json:"library,omitempty"`
}

// NewInjectionRecord is the mark that an injection of the releases leaves.
func NewInjectionRecord(releases []*catalog.Release) InjectionRecord {
	mark := InjectionRecord{Releases: make([]ReleaseRecord, len(releases))}
	for i, release := range releases {
		sources := make([]string, len(release.Sources))
		for j, source := range release.Sources {
			sources[j] = source.Name
		}
		mark.Releases[i] = ReleaseRecord{release.Plugin, release.Version, release.Digest, release.MigrationsDigest, sources, release.Library}
	}
	return mark
}

// ParseInjectionRecord reads what annotations say that a pod was given. Whoever makes pods can
// write that.
func ParseInjectionRecord(of map[string]string) (InjectionRecord, error) {
	var mark InjectionRecord
	err := json.Unmarshal([]byte(of[annotations.InjectionRecord]), &mark)
	return mark, err
}

func injectMarks(patch []Operation, pod Pod, releases []*catalog.Release) []Operation {
	patch = setMember(patch, "/metadata/labels", pod.HasLabels, pod.Labels, annotations.Injected, "true")
	text, err := json.Marshal(NewInjectionRecord(releases))
	if err != nil {
		panic(err) // strings alone can always be marshalled
	}
	return setMember(patch, "/metadata/annotations", pod.HasAnnotations, pod.Annotations, annotations.InjectionRecord, string(text))
}

package mutate

import (
	"encoding/json"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

// InjectionRecord is the value of annotation kongdao.io/injection: what was injected into a pod.
type InjectionRecord struct {
	Releases []ReleaseRecord `json:"releases"`
}

// ReleaseRecord describes an injected release.
type ReleaseRecord struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest"`
	// Migrations is the digest of the migrations, "" if the plugin has none.
	Migrations string `json:"migrations,omitempty"`
	// Sources are the names of the ConfigMaps.
	Sources []string `json:"sources"`
	// Library is the namespace that the sources are copied from, "" for the pod's own sources.
	Library string `json:"library,omitempty"`
}

// NewInjectionRecord returns the record of an injection of releases.
func NewInjectionRecord(releases []*catalog.Release) InjectionRecord {
	record := InjectionRecord{Releases: make([]ReleaseRecord, len(releases))}
	for i, release := range releases {
		sources := make([]string, len(release.Sources))
		for j, source := range release.Sources {
			sources[j] = source.Name
		}
		record.Releases[i] = ReleaseRecord{
			Plugin:     release.Plugin,
			Version:    release.Version,
			Digest:     release.Digest,
			Migrations: release.MigrationsDigest,
			Sources:    sources,
			Library:    release.Library,
		}
	}
	return record
}

// ParseInjectionRecord returns the injection record in a pod's annotations. Users can forge it.
func ParseInjectionRecord(podAnnotations map[string]string) (InjectionRecord, error) {
	var record InjectionRecord
	err := json.Unmarshal([]byte(podAnnotations[annotations.InjectionRecord]), &record)
	return record, err
}

// injectRecord patches the label and the annotation that record the injection.
func (i *injector) injectRecord() {
	text, err := json.Marshal(NewInjectionRecord(i.releases))
	if err != nil {
		panic(err) // a record has only strings, which always encode
	}
	i.patch = setMember(i.patch, "/metadata/labels", i.pod.HasLabels, i.pod.Labels, annotations.Injected, "true")
	i.patch = setMember(i.patch, "/metadata/annotations", i.pod.HasAnnotations, i.pod.Annotations,
		annotations.InjectionRecord, string(text))
}

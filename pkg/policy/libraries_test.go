package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
)

// lookupIn returns a lookup of releases that are written as namespace@version:digest.
func lookupIn(releases []string) ReleaseLookup {
	return func(namespace, plugin string) []*catalog.Release {
		var found []*catalog.Release
		for _, text := range releases {
			ref, digest, _ := strings.Cut(text, ":")
			if in, version, _ := strings.Cut(ref, "@"); in == namespace {
				release := &catalog.Release{Plugin: plugin, Version: version, Digest: digest}
				if version == "limit" {
					release.Version, release.AllVersions = "", true
					release.Denials = denial.List{{Reason: denial.LimitExceeded, Message: "over the limit"}}
				}
				found = append(found, release)
			}
		}
		return found
	}
}

// TestFinder proves which releases a pod gets from which namespace. It gets a copy of a release of another namespace.
func TestFinder(t *testing.T) {
	const (
		notPublished = `: a policy requires it from library "l", where no ConfigMap has the label kongdao.io/plugin=a; ` +
			`publish it there with "kubectl kongdao pack"`
		movable = `; publish it again, or move the workload: "kubectl kongdao upgrade WORKLOAD a"`
	)
	own, library, onlyLibrary := Origin{}, Origin{Libraries: []string{"l"}}, Origin{Libraries: []string{"l"}, Only: true}
	for name, test := range map[string]struct {
		origin Origin
		// namespace is the pod's, by default "kong".
		namespace string
		// version is the version that is requested, or pinned.
		version  string
		isPin    bool
		releases []string
		want     []string
		reason   string
	}{
		"no library":       {origin: own, releases: []string{"kong@1:x"}, want: []string{"1"}},
		"library":          {origin: library, releases: []string{"kong@1:x", "l@2:y"}, want: []string{"2 copied from l"}},
		"not in a library": {origin: library, releases: []string{"kong@1:x"}, want: []string{"1"}},
		"only a library": {
			origin: onlyLibrary, releases: []string{"kong@1:x"}, want: []string{` plugin "a"` + notPublished},
			reason: "the pod's namespace does not matter",
		},
		"only a library, with a version": {
			origin: onlyLibrary, version: "1", releases: []string{"kong@1:x"}, want: []string{`1 plugin "a@1"` + notPublished},
			reason: "the release has the requested version, so that its denial is found",
		},
		"unknown version": {
			origin: library, version: "1", releases: []string{"kong@1:x", "l@2:x", "l@3:x"},
			want: []string{
				`1 plugin "a@1": library "l" has versions "2" and "3"; ` +
					`request an existing version, or publish this one there`,
			},
			reason: "the message names the library, not the pod's namespace",
		},
		"several versions": {
			origin: onlyLibrary, releases: []string{"l@2:x", "l@3:x"},
			want: []string{"3 copied from l"}, reason: "the newest",
		},
		"a version and no version": {
			origin: onlyLibrary, releases: []string{"l@:x", "l@3:x"},
			want:   []string{"3 copied from l"},
			reason: "a request without a version does not mean the release without a version",
		},
		"pin": {
			origin: onlyLibrary, version: "2", isPin: true, releases: []string{"l@2:x", "l@3:x"},
			want: []string{"2 copied from l"},
		},
		"pin to no version": {
			origin: onlyLibrary, isPin: true, releases: []string{"l@:x", "l@3:x"}, want: []string{" copied from l"},
		},
		"missing pin": {
			origin: onlyLibrary, version: "1", isPin: true, releases: []string{"l@2:x"},
			want: []string{
				` plugin "a@1": all pods of this template get this release, and it does not exist; library "l" has version "2"` +
					movable,
			},
		},
		"requested version": {
			origin: onlyLibrary, version: "2", releases: []string{"l@2:x", "l@3:x"}, want: []string{"2 copied from l"},
		},
		"over a limit": {
			origin: onlyLibrary, version: "2", releases: []string{"l@limit:x"}, want: []string{` over the limit`},
			reason: "the denial applies to all versions",
		},
		"one library over a limit": {
			origin: Origin{Libraries: []string{"k", "l"}}, version: "2", releases: []string{"k@limit:x", "l@2:y"},
			want: []string{"2 copied from l"}, reason: "the other library has the version",
		},
		"in the library itself": {
			origin: onlyLibrary, namespace: "l", releases: []string{"l@1:x"}, want: []string{"1"}, reason: "it needs no copy",
		},
		"two libraries with the same files": {
			origin: Origin{Libraries: []string{"k", "l"}}, releases: []string{"k@1:x", "l@1:x"},
			want: []string{"1 copied from k"},
		},
		"two libraries with different files": {
			origin: Origin{Libraries: []string{"k", "l"}}, releases: []string{"k@1:x", "l@1:y"},
			want: []string{`1 plugin "a@1": libraries "k" and "l" have it with different files; delete all but one`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			request := annotations.Request{
				Plugins: []annotations.PluginRef{{Name: "b"}, {Name: "a", Version: test.version, IsPin: test.isPin}},
			}
			outcome := Outcome{Request: request}
			if test.origin.Libraries != nil {
				outcome.Origins = map[string]Origin{"a": test.origin}
			}
			namespace := "kong"
			if test.namespace != "" {
				namespace = test.namespace
			}
			var got []string
			for _, release := range outcome.Finder(namespace, lookupIn(test.releases))("a") {
				text := release.Version
				if release.Library != "" {
					text += " copied from " + release.Library
				}
				if len(release.Denials) > 0 {
					text += " " + release.Denials.Error()
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
		})
	}
}

// TestFinderCopiesOneRelease checks that the cost of an admission does not grow with the files of all versions in a
// library. Finder used to make a copy of each version.
func TestFinderCopiesOneRelease(t *testing.T) {
	allocations := func(versions int) float64 {
		var releases []*catalog.Release
		for version := range versions {
			files := make([]catalog.File, 20)
			for i := range files {
				files[i].Path = fmt.Sprintf("file-%d.lua", i)
			}
			releases = append(releases, &catalog.Release{
				Plugin: "a", Version: fmt.Sprintf("1.%03d", version), Digest: "x", Files: files,
			})
		}
		outcome := Outcome{
			Request: annotations.Request{Plugins: []annotations.PluginRef{{Name: "a", Version: "1.000"}}},
			Origins: map[string]Origin{"a": {Libraries: []string{"l"}}},
		}
		find := outcome.Finder("kong", func(string, string) []*catalog.Release { return releases })
		if found := find("a"); len(found) != 1 || found[0].Library != "l" || len(found[0].Copies) != 1 {
			t.Fatalf("found %+v; want one release that is copied from the library", found)
		}
		return testing.AllocsPerRun(10, func() { find("a") })
	}
	if one, hundred := allocations(1), allocations(100); hundred > 2*one {
		t.Errorf("%v allocations with 100 versions, %v with one", hundred, one)
	}
}

// TestMayCopy proves that policies decide which releases of a library a namespace may get. A forged injection record
// cannot get others.
func TestMayCopy(t *testing.T) {
	all := from("l", spec{})
	for name, test := range map[string]struct {
		policies specs
		want     bool
		reason   string
	}{
		"no policy":                  {nil, false, ""},
		"allowed":                    {specs{"p": from("l", allows("other", "a"))}, true, ""},
		"no allowed list":            {specs{"p": all}, true, "everything is allowed"},
		"another library":            {specs{"p": from("k", spec{})}, false, ""},
		"audited":                    {specs{"p": audited(all)}, false, "an audited policy offers nothing"},
		"not allowed":                {specs{"p": all, "q": allows("b")}, false, "every list must allow the plugin"},
		"another version is allowed": {specs{"p": from("l", allows("a@2"))}, false, ""},
		"required": {
			specs{"p": from("l", requires("a")), "q": allows("b")}, true, "a required plugin is allowed",
		},
		"another version is required": {specs{"p": from("l", requires("a@2")), "q": allows("b")}, false, ""},
		"not allowed by an audit": {
			specs{"p": all, "q": audited(allows("b"))}, true, "an audited policy forbids nothing",
		},
	} {
		got := MayCopy(compiledAll(t, test.policies), "l", annotations.PluginRef{Name: "a", Version: "1"})
		if got != test.want {
			t.Errorf("%s: %v, want %v: %s", name, got, test.want, test.reason)
		}
	}
}

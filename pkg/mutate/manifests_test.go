package mutate_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/goldens"
)

// manifestsVariable names a directory with rendered manifests of Kong's chart. expectations lists its files.
const manifestsVariable = "KONG_MANIFESTS"

// expectation is which containers of a manifest get the plugin.
type expectation struct {
	containers []string
	// warning is a part of the warnings, "" for no warning.
	warning string
}

// expectations returns what is expected of each manifest, by file and name of the workload.
func expectations() map[string]expectation {
	kong := []string{"clear-stale-pid", "wait-for-db", "proxy"}
	kongWithoutDatabase := []string{"clear-stale-pid", "proxy"}
	all := map[string]expectation{
		"hybrid-data-plane.yaml kong-kong": {
			containers: kongWithoutDatabase, warning: "KONG_ROLE is data_plane, where",
		},
		"default-dbless-with-controller.yaml kong-kong": {
			containers: kongWithoutDatabase, warning: "KONG_DATABASE is off, and requests that write",
		},
		"own chart-traditional": {containers: kong},
	}
	for _, file := range []string{"traditional", "hybrid-control-plane", "chart-plugin-flat", "walkthrough-values"} {
		name := file + ".yaml kong-kong"
		all[name] = expectation{containers: kong}
		all[name+"-init-migrations"] = expectation{containers: []string{"kong-migrations"}}
		all[name+"-pre-upgrade-migrations"] = expectation{containers: []string{"kong-upgrade-migrations"}}
		all[name+"-post-upgrade-migrations"] = expectation{containers: []string{"kong-post-upgrade-migrations"}}
	}
	return all
}

// TestManifests proves with manifests of Kong's chart that each Kong container gets the plugin, also in the chart's
// migration Jobs (fact K21). The ingress controller does not run Kong (fact K19).
func TestManifests(t *testing.T) {
	want := expectations()
	checked := 0
	for name, pod := range manifests(t) {
		t.Run(name, func(t *testing.T) {
			c := goldens.Case{Name: name, Namespace: goldens.Namespace, Pod: pod}
			c.Sources = goldens.ConfigMaps(t, filepath.Join(casesFolder, "sources.yaml"))
			admitted, injected := checkProperties(t, c)
			if injected == nil {
				t.Fatal(admitted.Denials)
			}
			got := containersWithPlugin(decode(t, injected))
			expected, exists := want[name]
			if !exists {
				if slices.Contains(got, "ingress-controller") {
					t.Error("the ingress controller has the plugin")
				}
				return
			}
			checked++
			if !slices.Equal(got, expected.containers) {
				t.Errorf("containers %q have the plugin; want %q", got, expected.containers)
			}
			warnings := strings.Join(admitted.Warnings, "\n")
			if (expected.warning == "") != (warnings == "") || !strings.Contains(warnings, expected.warning) {
				t.Errorf("warnings %q; want %q", warnings, expected.warning)
			}
		})
	}
	if checked == 0 {
		t.Error("no manifest is in the list of expectations")
	}
	t.Logf("%d manifests are in the list of expectations", checked)
}

// containersWithPlugin names the containers that have dao-test in KONG_PLUGINS, the package path, and both mounts.
func containersWithPlugin(pod mutate.Pod) []string {
	var names []string
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		values := map[string]string{}
		for _, variable := range container.Env.Variables {
			values[variable.Name] = variable.Value
		}
		mounts := 0
		for _, mount := range container.VolumeMounts {
			switch mount.MountPath {
			case "/opt/kong/plugins/dao-test", "/opt/kong/plugins/dao-test/migrations":
				mounts++
			}
		}
		isLoaded := values["KONG_PLUGINS"] == "bundled,dao-test" &&
			values["KONG_LUA_PACKAGE_PATH"] == "/opt/?.lua;/opt/?/init.lua;;"
		if isLoaded && mounts == 2 {
			names = append(names, container.Name)
		}
	}
	return names
}

// manifests returns pods that request dao-test, as JSON, by file and name of the workload. Without a directory it
// returns only the pod of a case.
func manifests(t *testing.T) map[string][]byte {
	t.Helper()
	folder := os.Getenv(manifestsVariable)
	if folder == "" {
		t.Logf("%s is not set: the test runs only with a case that is like a pod of Kong's chart", manifestsVariable)
		return map[string][]byte{"own chart-traditional": requesting(t, parse(t, chartPod(t)))}
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no manifests in %s: %v", manifestsVariable, folder, err)
	}
	pods := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq("\n"+string(text), "\n---\n") {
			object := map[string]any{}
			if err := yaml.Unmarshal([]byte(document), &object); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			metadata, _ := object["metadata"].(map[string]any)
			spec, _ := object["spec"].(map[string]any)
			if template, ok := spec["template"].(map[string]any); ok {
				name, _ := metadata["name"].(string)
				pods[filepath.Base(file)+" "+name] = requesting(t, template)
			}
		}
	}
	return pods
}

// requesting returns the JSON of a pod with an annotation that requests dao-test.
func requesting(t *testing.T, pod map[string]any) []byte {
	t.Helper()
	metadata, _ := pod["metadata"].(map[string]any)
	podAnnotations, ok := metadata["annotations"].(map[string]any)
	if !ok {
		podAnnotations = map[string]any{}
		metadata["annotations"] = podAnnotations
	}
	podAnnotations[annotations.Plugins] = "dao-test"
	return []byte(marshal(t, pod))
}

// chartPod returns the JSON of a case that is like a pod of Kong's chart.
func chartPod(t testing.TB) []byte {
	t.Helper()
	for _, c := range goldens.Cases(t, casesFolder) {
		if c.Name == "chart-traditional" {
			return c.Pod
		}
	}
	t.Fatal("there is no case chart-traditional")
	return nil
}

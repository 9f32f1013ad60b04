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

// manifestsVariable names a folder of rendered manifests of Kong's chart: the
// files that want below is keyed by.
const manifestsVariable = "KONG_MANIFESTS"

// TestManifests proves on what Kong's chart really renders that each container
// which runs Kong gets the plugin, and the ingress controller never (K19, K21).
func TestManifests(t *testing.T) {
	const database = "KONG_DATABASE is off, and requests that write"
	const replica = "KONG_ROLE is data_plane, where"
	withDatabase := []string{"clear-stale-pid", "wait-for-db", "proxy"}
	withoutDatabase := []string{"clear-stale-pid", "proxy"}
	want := map[string]struct {
		containers []string
		warning    string
	}{
		"traditional.yaml kong-kong":                                  {containers: withDatabase},
		"traditional.yaml kong-kong-init-migrations":                  {containers: []string{"kong-migrations"}},
		"traditional.yaml kong-kong-pre-upgrade-migrations":           {containers: []string{"kong-upgrade-migrations"}},
		"traditional.yaml kong-kong-post-upgrade-migrations":          {containers: []string{"kong-post-upgrade-migrations"}},
		"hybrid-control-plane.yaml kong-kong":                         {containers: withDatabase},
		"hybrid-control-plane.yaml kong-kong-init-migrations":         {containers: []string{"kong-migrations"}},
		"hybrid-control-plane.yaml kong-kong-pre-upgrade-migrations":  {containers: []string{"kong-upgrade-migrations"}},
		"hybrid-control-plane.yaml kong-kong-post-upgrade-migrations": {containers: []string{"kong-post-upgrade-migrations"}},
		"chart-plugin-flat.yaml kong-kong":                            {containers: withDatabase},
		"chart-plugin-flat.yaml kong-kong-init-migrations":            {containers: []string{"kong-migrations"}},
		"chart-plugin-flat.yaml kong-kong-pre-upgrade-migrations":     {containers: []string{"kong-upgrade-migrations"}},
		"chart-plugin-flat.yaml kong-kong-post-upgrade-migrations":    {containers: []string{"kong-post-upgrade-migrations"}},
		"walkthrough-values.yaml kong-kong":                           {containers: withDatabase},
		"walkthrough-values.yaml kong-kong-init-migrations":           {containers: []string{"kong-migrations"}},
		"walkthrough-values.yaml kong-kong-pre-upgrade-migrations":    {containers: []string{"kong-upgrade-migrations"}},
		"walkthrough-values.yaml kong-kong-post-upgrade-migrations":   {containers: []string{"kong-post-upgrade-migrations"}},
		"hybrid-data-plane.yaml kong-kong":                            {containers: withoutDatabase, warning: replica},
		"default-dbless-with-controller.yaml kong-kong":               {containers: withoutDatabase, warning: database},
		"own chart-traditional":                                       {containers: withDatabase},
	}
	seen := 0
	for name, pod := range manifests(t) {
		t.Run(name, func(t *testing.T) {
			c := goldens.Case{Name: name, Namespace: goldens.Namespace, Pod: pod}
			c.Sources = goldens.ConfigMaps(t, filepath.Join(casesFolder, "sources.yaml"))
			decision, injected := decide(t, c)
			if injected == nil {
				t.Fatal(decision.Denials)
			}
			deterministic(t, c, decision)
			onlyOurPaths(t, decision.Patch)
			restUntouched(t, pod, injected)
			wellFormed(t, decode(t, injected))
			again := goldens.Admit(t, c.Namespace, decode(t, injected), goldens.Catalog(c.Sources))
			if len(again.Patch) > 0 || len(again.Denials) > 0 {
				t.Errorf("injecting the result again is not nothing: %s %v", marshal(t, again.Patch), again.Denials)
			}
			got := equipped(decode(t, injected))
			wanted, known := want[name]
			if !known {
				if slices.Contains(got, "ingress-controller") {
					t.Error("the ingress controller got the plugin")
				}
				return
			}
			seen++
			if !slices.Equal(got, wanted.containers) {
				t.Errorf("%q have all of the plugin; want %q", got, wanted.containers)
			}
			warnings := strings.Join(decision.Warnings, "\n")
			if (wanted.warning == "") != (warnings == "") || !strings.Contains(warnings, wanted.warning) {
				t.Errorf("warnings %q; want %q", warnings, wanted.warning)
			}
		})
	}
	if seen == 0 {
		t.Error("no manifest is one of those that the test expects something of")
	}
	t.Logf("%d manifests are those that the test expects something of", seen)
}

// equipped names the containers that have all of dao-test: it is in
// KONG_PLUGINS, on the path, and mounted whole.
func equipped(pod mutate.Pod) []string {
	var names []string
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		values := map[string]string{}
		for _, variable := range container.Env.Kept {
			values[variable.Name] = variable.Value
		}
		mounted := 0
		for _, mount := range container.VolumeMounts {
			switch mount.MountPath {
			case "/opt/kong/plugins/dao-test", "/opt/kong/plugins/dao-test/migrations":
				mounted++
			}
		}
		if values["KONG_PLUGINS"] == "bundled,dao-test" && values["KONG_LUA_PACKAGE_PATH"] == "/opt/?.lua;/opt/?/init.lua;;" && mounted == 2 {
			names = append(names, container.Name)
		}
	}
	return names
}

// manifests yields the pod templates of the manifests by "file name", as JSON,
// each asking for dao-test. Without a folder there is one, written for the cases.
func manifests(t *testing.T) map[string][]byte {
	t.Helper()
	pods := map[string][]byte{}
	folder := os.Getenv(manifestsVariable)
	if folder == "" {
		t.Logf("%s is not set: only the pod that is written after the chart's is tried", manifestsVariable)
		pods["own chart-traditional"] = asking(t, tree(t, chartPod(t)))
		return pods
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no manifests in %s: %v", manifestsVariable, folder, err)
	}
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
				pods[filepath.Base(file)+" "+name] = asking(t, template)
			}
		}
	}
	return pods
}

// asking is the pod's JSON with an annotation that asks for dao-test.
func asking(t *testing.T, pod map[string]any) []byte {
	t.Helper()
	metadata, _ := pod["metadata"].(map[string]any)
	annotated, ok := metadata["annotations"].(map[string]any)
	if !ok {
		annotated = map[string]any{}
		metadata["annotations"] = annotated
	}
	annotated[annotations.Plugins] = "dao-test"
	return []byte(marshal(t, pod))
}

// chartPod is the JSON of a pod like those of Kong's chart.
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

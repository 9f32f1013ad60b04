//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/fixtures"
)

// idleScript is the script of a container that waits for SIGTERM.
const idleScript = `trap 'exit 0' TERM; sleep infinity & wait`

// quietPlugin returns the files of a plugin without migrations.
func quietPlugin() files {
	return files{
		"handler.lua": `return { PRIORITY = 1, VERSION = "1.0.0" }`,
		"schema.lua":  `return { name = "quiet", fields = {} }`,
	}
}

// pluginsFolder returns the files of plugins with their paths in the folder where Kong finds plugins.
func pluginsFolder(plugins map[string]files) files {
	all := files{}
	for plugin, release := range plugins {
		for name, content := range release {
			all[plugin+"/"+name] = content
		}
	}
	return all
}

// onlyDAOTest is pluginsFolder for one release of the fixture.
func onlyDAOTest(release files) files {
	return pluginsFolder(map[string]files{fixtures.Plugin: release})
}

// idleKong returns a Deployment of an idle Kong without a request. Keys of extra that begin with kongdao's prefix
// become annotations of the Deployment, the others labels of its pods.
func idleKong(t *testing.T, name string, extra map[string]string) *appsv1.Deployment {
	t.Helper()
	made := kong(t)
	made.Name, made.Annotations = name, map[string]string{}
	labels := map[string]string{"app": name}
	made.Spec.Selector.MatchLabels = maps.Clone(labels)
	for key, value := range extra {
		if strings.HasPrefix(key, annotations.Prefix) {
			made.Annotations[key] = value
		} else {
			labels[key] = value
		}
	}
	made.Spec.Template.Labels = labels
	made.Spec.Template.Spec.InitContainers = nil
	made.Spec.Template.Spec.Containers[0].Command[2] = idleScript
	return made
}

// idlePod returns a pod like those of idleKong, without a controller.
func idlePod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	template := idleKong(t, name, nil).Spec.Template
	made := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	made.APIVersion, made.Kind, made.Name = "v1", "Pod", name
	return made
}

// start applies Deployments and waits until their pods run.
func (s space) start(workloads ...*appsv1.Deployment) {
	s.t.Helper()
	for _, workload := range workloads {
		s.apply(manifests(s.t, workload))
	}
	for _, workload := range workloads {
		s.waitRollout(workload.Name)
	}
}

// restart restarts a Deployment of one pod and waits until only the new pod exists.
func (s space) restart(name string) {
	s.t.Helper()
	s.run("", "rollout", "restart", "deployment/"+name)
	s.waitRollout(name)
	eventually(s.t, func() error {
		pods, err := s.try("", "get", "pods", "-l", "app="+name, "-o", "name")
		if err == nil && len(strings.Fields(pods)) != 1 {
			err = fmt.Errorf("the Deployment has the pods %q, want one", pods)
		}
		return err
	})
}

// waitKongPlugins waits until new pods of a Deployment would get a value of KONG_PLUGINS.
func (s space) waitKongPlugins(workload *appsv1.Deployment, want string) {
	s.t.Helper()
	eventually(s.t, func() error {
		made := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: s.name, GenerateName: "kong-",
				Labels: maps.Clone(workload.Spec.Template.Labels), Annotations: maps.Clone(workload.Annotations),
			},
			Spec: *workload.Spec.Template.Spec.DeepCopy(),
		}
		if err := admin.Create(s.t.Context(), made, client.DryRunAll); err != nil {
			return err
		}
		got := ""
		for _, variable := range made.Spec.Containers[0].Env {
			if variable.Name == "KONG_PLUGINS" {
				got = variable.Value
			}
		}
		if got != want {
			return fmt.Errorf("KONG_PLUGINS of a pod of %s would be %q, want %q", workload.Name, got, want)
		}
		return nil
	})
}

// printPlugins prints the value of KONG_PLUGINS of the container's first process, and an archive of all files in the
// folder where Kong finds plugins.
const printPlugins = `tr '\0' '\n' </proc/1/environ | sed -n 's/^KONG_PLUGINS=//p' | tr -d '\n'; echo
[ ! -d ` + annotations.PluginsFolder + ` ] || tar -C ` + annotations.PluginsFolder + ` -chf - .`

// wantPlugins checks KONG_PLUGINS of a running container, "" for none, and all files in the folder where Kong finds
// plugins.
func (s space) wantPlugins(workload, wantVariable string, wantFiles files) {
	s.t.Helper()
	out, err := s.execIn(workload, printPlugins)
	if err != nil {
		s.t.Fatal(err)
	}
	variable, archive, _ := strings.Cut(out, "\n")
	if variable != wantVariable {
		s.t.Errorf("%s: KONG_PLUGINS is %q, want %q", workload, variable, wantVariable)
	}
	got, err := unpack(archive)
	if err != nil {
		s.t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string(wantFiles), got); diff != "" {
		s.t.Errorf("the plugin files of %s (-want +got):\n%s", workload, diff)
	}
}

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
)

// idle is the script of a container that does nothing, until it is told to end.
const idle = `trap 'exit 0' TERM; sleep infinity & wait`

// idleKong is a Deployment of a Kong that asks for nothing and does nothing.
// changes are of its pods' labels, and of its own annotations where their names
// are ours.
func idleKong(t *testing.T, name string, changes map[string]string) *appsv1.Deployment {
	t.Helper()
	made := kong(t)
	made.Name, made.Annotations = name, map[string]string{}
	labels := map[string]string{"app": name}
	made.Spec.Selector.MatchLabels = maps.Clone(labels)
	for key, value := range changes {
		if strings.HasPrefix(key, annotations.Prefix) {
			made.Annotations[key] = value
		} else {
			labels[key] = value
		}
	}
	made.Spec.Template.Labels = labels
	made.Spec.Template.Spec.InitContainers = nil
	made.Spec.Template.Spec.Containers[0].Command[2] = idle
	return made
}

// starts applies Deployments, and waits until their pods run.
func (s space) starts(workloads ...*appsv1.Deployment) {
	s.t.Helper()
	for _, workload := range workloads {
		s.apply(manifests(s.t, workload))
	}
	for _, workload := range workloads {
		s.waitRollout(workload.Name)
	}
}

// restarts has a Deployment of one pod make it anew, and waits until the new one
// alone is there.
func (s space) restarts(name string) {
	s.t.Helper()
	s.run("", "rollout", "restart", "deployment/"+name)
	s.waitRollout(name)
	eventually(s.t, func() error {
		pods, err := s.try("", "get", "pods", "-l", "app="+name, "-o", "name")
		if err == nil && len(strings.Fields(pods)) != 1 {
			err = fmt.Errorf("there are the pods %q", pods)
		}
		return err
	})
}

// eventuallyGiven waits until a pod of a Deployment would be told of these plugins.
func (s space) eventuallyGiven(workload *appsv1.Deployment, want string) {
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

// lookAtPlugins prints what the container's first process has as KONG_PLUGINS,
// and an archive of all files where Kong looks for plugins.
const lookAtPlugins = `tr '\0' '\n' </proc/1/environ | sed -n 's/^KONG_PLUGINS=//p' | tr -d '\n'; echo
[ ! -d ` + annotations.PluginsFolder + ` ] || tar -C ` + annotations.PluginsFolder + ` -chf - .`

// wantGiven checks what a running container has: the plugins that it is told of,
// "" for none, and all files where Kong looks for plugins.
func (s space) wantGiven(workload, plugins string, want files) {
	s.t.Helper()
	out, err := s.execIn(workload, lookAtPlugins)
	if err != nil {
		s.t.Fatal(err)
	}
	told, archive, _ := strings.Cut(out, "\n")
	if told != plugins {
		s.t.Errorf("%s: KONG_PLUGINS is %q, want %q", workload, told, plugins)
	}
	got, err := unpack(archive)
	if err != nil {
		s.t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string(want), got); diff != "" {
		s.t.Errorf("%s does not have these files (-want +got):\n%s", workload, diff)
	}
}

// whosePods proves who gets a policy's plugins, annotated or not: Kong pods that
// its selectors take, and nobody else; and that its end takes them from nobody.
func whosePods(t *testing.T) {
	s, other := newSpace(t), newSpace(t)
	for _, one := range []space{s, other} {
		one.publish(release110(t))
		one.publishAs("quiet", quiet())
	}
	edge := map[string]string{"tier": "edge"}
	asking := map[string]string{"tier": "edge", annotations.Plugins: "quiet"}
	plain := idleKong(t, "plain", edge)
	noKong := idleKong(t, "no-kong", edge)
	noKong.Spec.Template.Spec.Containers[0].Image = postgresImage
	p := s.policy("gives", `plugins: [{name: dao-test}], podSelector: {matchLabels: {tier: edge}}`)
	s.eventuallyGiven(plain, "bundled,dao-test")
	s.starts(plain, noKong, idleKong(t, "asking", asking),
		idleKong(t, "inner", map[string]string{"tier": "inner"}), idleKong(t, "inner-asking", map[string]string{"tier": "inner", annotations.Plugins: "quiet"}))
	other.starts(plain)

	dao, both := daoTest(release110(t)), under(map[string]files{"dao-test": release110(t), "quiet": quiet()})
	s.wantGiven("deployment/plain", "bundled,dao-test", dao)
	s.wantGiven("deployment/asking", "bundled,quiet,dao-test", both)
	s.wantGiven("deployment/no-kong", "", files{})
	s.wantGiven("deployment/inner", "", files{})
	s.wantGiven("deployment/inner-asking", "bundled,quiet", under(map[string]files{"quiet": quiet()}))
	other.wantGiven("deployment/plain", "", files{})
	p.shows("Enforce 1 2 2 0 0 0 True", "2 of 2 pods in 1 namespace")

	p.remove()
	s.eventuallyGiven(plain, "")
	s.starts(idleKong(t, "after", edge))
	s.wantGiven("deployment/after", "", files{})
	s.wantGiven("deployment/plain", "bundled,dao-test", dao)
	s.wantGiven("deployment/asking", "bundled,quiet,dao-test", both)
}

// optedOut proves that a pod does without the plugins of the policies that let
// it, and of no others.
func optedOut(t *testing.T) {
	s := newSpace(t)
	s.publish(release110(t))
	s.publishAs("quiet", quiet())
	lets := s.policy("lets", `plugins: [{name: quiet}]`)
	insists := s.policy("insists", `plugins: [{name: dao-test}], optOut: false`)
	plain, without := idleKong(t, "plain", nil), idleKong(t, "without", map[string]string{annotations.Inject: "false"})
	s.eventuallyGiven(plain, "bundled,dao-test,quiet")
	s.starts(plain)
	_, said, err := kubectlOutput(t.Context(), manifests(t, without), "--namespace", s.name, "apply", "-f", "-")
	if err != nil || !strings.Contains(said, `policy "`+insists.name+`", which does not permit opting out`) {
		t.Errorf("whoever opts out is told %q: %v", said, err)
	}
	s.waitRollout("without")
	s.wantGiven("deployment/plain", "bundled,dao-test,quiet", under(map[string]files{"dao-test": release110(t), "quiet": quiet()}))
	s.wantGiven("deployment/without", "bundled,dao-test", daoTest(release110(t)))
	lets.shows("Enforce 1 2 1 0 1 0 True")
	insists.shows("Enforce 1 2 2 0 0 0 True")
}

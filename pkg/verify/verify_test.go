package verify_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/verify"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// golden compares an object with a file in testdata.
func golden(t *testing.T, file string, object any) {
	t.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(string(text), "\r", "")
	if *update {
		if err := os.WriteFile("testdata/"+file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; to accept the change, run the test with -update)\n%s", file, diff)
	}
}

// gateway returns a pod that runs Kong with a database.
func gateway() *corev1.PodSpec {
	secret := &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "password"}}
	return &corev1.PodSpec{
		ImagePullSecrets: []corev1.LocalObjectReference{{Name: "registry"}}, NodeSelector: map[string]string{"pool": "kong"},
		SecurityContext: &corev1.PodSecurityContext{RunAsUser: new(int64(1001))},
		Containers: []corev1.Container{
			{Name: "sidecar", Image: "sidecar"},
			{Name: "proxy", Image: "registry.example.com/kong:3.9.1", Env: []corev1.EnvVar{
				{Name: "KONG_DATABASE", Value: "postgres"}, {Name: "KONG_PG_HOST", Value: "pg"},
				{Name: "KONG_PG_PASSWORD", ValueFrom: secret}, {Name: "KONG_LOG_LEVEL", Value: "info"},
				{Name: "KONG_LICENSE_DATA", ValueFrom: secret}, {Name: "KONG_VITALS_FILE", Value: "/x"},
				{Name: "HTTP_PROXY", Value: "http://proxy"}, {Name: "KONG_UNTRUSTED_LUA_SANDBOX_REQUIRES", Value: "cjson"},
			}},
		},
	}
}

// TestJob checks the Job for the Kong of a gateway, and its NetworkPolicy.
func TestJob(t *testing.T) {
	kong, found := verify.KongOf(gateway(), "proxy")
	if !found {
		t.Fatal("the container is not found")
	}
	target := verify.Target{
		Namespace: "kong", Name: "kongdao-verify-x", Plugin: "dao-test", Kong: kong, TimeoutSeconds: 121,
		Files: []verify.File{
			{Path: "handler.lua", ConfigMap: "a", Key: "handler.lua"}, {Path: "lib/x.lua", ConfigMap: "a", Key: "lib.x.lua"},
			{Path: "migrations/init.lua", ConfigMap: "b", Key: "init.lua"},
		},
	}
	job := verify.NewJob(target)
	container := &job.Spec.Template.Spec.Containers[0]
	if container.Args[2] != migrate.Script() {
		t.Error("the Job does not run the script of the migrations")
	}
	container.Args[2] = "(the script)"
	golden(t, "job.yaml", job)
	golden(t, "networkpolicy.yaml", verify.NewNetworkPolicy(target))
	if _, found := verify.KongOf(gateway(), "other"); found {
		t.Error("a container is found that does not exist")
	}
}

// TestLocalCommand checks that a container runtime gets no network and no rights.
func TestLocalCommand(t *testing.T) {
	command := verify.LocalCommand("podman", "kong:3.9", "/src/dao-test", "dao-test")
	if command[len(command)-1] != migrate.Script() {
		t.Error("the container does not run the script of the migrations")
	}
	golden(t, "local.yaml", command[:len(command)-1])
}

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		message, output string
		want            verify.Result
	}{
		"loads": {"done\n", "kongdao: kong start\nKong started\nkongdao: done\n", verify.Result{Loads: true}},
		"rejected": {"unloadable\nno handler\n", "kongdao: unloadable\nno handler\n",
			verify.Result{IsRejected: true, Words: "no handler"}},
		"failed":    {"failed\nbind() failed", "x\nkongdao: failed\nbind() failed\n", verify.Result{Words: "bind() failed"}},
		"no result": {"sh: not found", "sh: not found", verify.Result{Words: "sh: not found"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, verify.ParseResult(test.message)); diff != "" {
				t.Errorf("message (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(test.want, verify.ParseOutput(test.output)); diff != "" {
				t.Errorf("output (-want +got)\n%s", diff)
			}
		})
	}
}

func TestStateOf(t *testing.T) {
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	for name, test := range map[string]struct {
		state *corev1.ContainerState
		want  string
	}{
		"new":      {nil, "the pod has not started"},
		"image":    {new(waiting("ErrImagePull", "not found")), "ErrImagePull: not found"},
		"creating": {new(waiting("ContainerCreating", "")), "ContainerCreating"},
		"running":  {&corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, "Kong starts"},
	} {
		pod := &corev1.Pod{}
		if test.state != nil {
			pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "sidecar"}, {Name: "kong", State: *test.state}}
		}
		if got, terminated := verify.StateOf(pod); got != test.want || terminated != nil {
			t.Errorf("%s: got %q %v, want %q", name, got, terminated, test.want)
		}
	}
	pending := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "no nodes"},
	}}}
	if got, _ := verify.StateOf(pending); got != "the pod cannot be scheduled: no nodes" {
		t.Errorf("got %q", got)
	}
	ended := &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: "kong", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Message: "done"}},
	}}}}
	if _, terminated := verify.StateOf(ended); terminated == nil || terminated.Message != "done" {
		t.Errorf("got %v", terminated)
	}
}

// The tests of Jobs are external because package goldens imports package migrate.
package migrate_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/goldens"
)

var update = flag.Bool("update", false, "write the current Jobs as the expected results")

// settings returns the defaults of the chart.
func settings() migrate.Settings {
	return migrate.Settings{TimeoutSeconds: 600, DeadlineSeconds: 600, TTLSeconds: 86400, HistoryLimit: 10}
}

// jobFor returns the first "up" Job for an injected pod.
func jobFor(t *testing.T, pod *corev1.Pod, settings migrate.Settings) *batchv1.Job {
	t.Helper()
	return jobWithAttempt(t, pod, settings, 1)
}

func jobWithAttempt(t *testing.T, pod *corev1.Pod, settings migrate.Settings, attempt int32) *batchv1.Job {
	t.Helper()
	requirement, ok := migrate.RequirementOfInjected("kong", viewOf(t, pod))
	if !ok {
		t.Fatal("the pod requires no migration")
	}
	migration := &v1alpha1.PluginMigration{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: requirement.MigrationName(), UID: "1-2-3"},
		Spec:       requirement.Spec(),
	}
	job, err := migrate.NewJob(migration, migrate.JobStart{
		Migration: migration.Name, Step: "up", Attempt: attempt, Finish: "none",
		From: migrate.Pod{Requirement: requirement},
	}, pod, settings)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func viewOf(t *testing.T, pod *corev1.Pod) mutate.Pod {
	t.Helper()
	text, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	view, err := mutate.DecodePod(text)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

func readPod(t *testing.T, path string) *corev1.Pod {
	t.Helper()
	var pod corev1.Pod
	if err := yaml.Unmarshal([]byte(readFile(t, path)), &pod); err != nil {
		t.Fatal(err)
	}
	return &pod
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestJobGoldens proves which parts of a pod a Job copies. The first line of each case says which.
func TestJobGoldens(t *testing.T) {
	folders, err := filepath.Glob("testdata/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			files, err := os.ReadDir(folder)
			if err != nil || len(files) != 2 && !*update {
				t.Fatalf("a case has pod.yaml and job.yaml, but the folder has %v: %v", files, err)
			}
			job := jobFor(t, readPod(t, filepath.Join(folder, "pod.yaml")), settings())
			container := &job.Spec.Template.Spec.Containers[0]
			run := slices.Concat(container.Command, container.Args) // one of them is empty
			if len(run) != 3 || run[2] != migrate.Script() {
				t.Fatalf("the container does not run the script, but %q", run)
			}
			for _, list := range [][]string{container.Command, container.Args} {
				if len(list) > 0 {
					list[2] = "(job.sh)"
				}
			}
			got, err := yaml.Marshal(job)
			if err != nil {
				t.Fatal(err)
			}
			want := filepath.Join(folder, "job.yaml")
			if *update {
				if err := os.WriteFile(want, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(readFile(t, want), string(got)); diff != "" {
				t.Errorf("(-want +got; to accept the change, run the test with -update)\n%s", diff)
			}
		})
	}
}

// TestJobKeepsEntrypoint proves that a Job runs the image's entrypoint if the pod does. It also proves that the Job
// passes the configuration file on, but no files for settings that the Job sets.
func TestJobKeepsEntrypoint(t *testing.T) {
	const file = "/etc/kong/custom.conf"
	for name, test := range map[string]struct {
		command, args []string
		entrypoint    bool
		configuration string
	}{
		"nothing":           {entrypoint: true},
		"arguments":         {args: []string{"kong", "docker-start"}, entrypoint: true},
		"command":           {command: []string{"kong", "start"}},
		"file in arguments": {args: []string{"kong", "docker-start", "-c", file}, entrypoint: true, configuration: file},
		"file in command":   {command: []string{"kong", "start", "--conf", file}, configuration: file},
		"file in one word":  {command: []string{"kong"}, args: []string{"start", "--conf=" + file}, configuration: file},
		"script":            {command: []string{"sh", "-c", "kong start"}},
	} {
		t.Run(name, func(t *testing.T) {
			pod := readPod(t, "testdata/chart/pod.yaml")
			for i := range pod.Spec.Containers {
				if proxy := &pod.Spec.Containers[i]; proxy.Name == "proxy" {
					proxy.Command, proxy.Args = test.command, test.args
					proxy.Env = append(proxy.Env, corev1.EnvVar{Name: "KONG_PREFIX_FILE"}, corev1.EnvVar{Name: "KONG_PG_HOST_FILE"})
				}
			}
			container := jobFor(t, pod, settings()).Spec.Template.Spec.Containers[0]
			if got := len(container.Command) == 0; got != test.entrypoint {
				t.Errorf("the Job runs the entrypoint: %t, want %t", got, test.entrypoint)
			}
			env := map[string]string{}
			for _, variable := range container.Env {
				env[variable.Name] = variable.Value
			}
			if got := env["KONGDAO_CONF"]; got != test.configuration {
				t.Errorf("the configuration file is %q, want %q", got, test.configuration)
			}
			_, prefix := env["KONG_PREFIX_FILE"]
			_, host := env["KONG_PG_HOST_FILE"]
			if prefix || !host {
				t.Error("the Job must keep KONG_PG_HOST_FILE, but not KONG_PREFIX_FILE, because it sets KONG_PREFIX")
			}
		})
	}
}

// TestJobIncludes proves that a Job runs the containers that the annotation names, with their volumes: init containers
// first, and containers as native sidecars, so that the Job can end.
func TestJobIncludes(t *testing.T) {
	pod := readPod(t, "testdata/chart/pod.yaml")
	pod.Annotations[annotations.MigrationsWith] = "pg-proxy, vault, log-agent"
	mount := func(name string) []corev1.VolumeMount {
		return []corev1.VolumeMount{{Name: name, MountPath: "/" + name}}
	}
	probe := &corev1.Probe{PeriodSeconds: 1}
	pod.Spec.InitContainers = append(pod.Spec.InitContainers,
		corev1.Container{Name: "vault", Image: "vault:1", Args: []string{"agent"}, VolumeMounts: mount("secrets")},
		corev1.Container{
			Name: "log-agent", Image: "agent", RestartPolicy: new(corev1.ContainerRestartPolicyAlways), StartupProbe: probe,
		})
	pod.Spec.Containers = append(pod.Spec.Containers,
		corev1.Container{
			Name: "pg-proxy", Image: "sql-proxy", VolumeMounts: mount("sockets"), LivenessProbe: probe, StartupProbe: probe,
			Ports: []corev1.ContainerPort{{Name: "pg", ContainerPort: 5432, HostPort: 5432}},
		},
		corev1.Container{Name: "other", Image: "other", VolumeMounts: mount("others")})
	for _, name := range []string{"secrets", "sockets", "others"} {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name})
	}
	spec := jobFor(t, pod, settings()).Spec.Template.Spec
	always := new(corev1.ContainerRestartPolicyAlways)
	want := []corev1.Container{
		{Name: "vault", Image: "vault:1", Args: []string{"agent"}, VolumeMounts: mount("secrets")},
		{Name: "log-agent", Image: "agent", RestartPolicy: always, StartupProbe: probe},
		{
			Name: "pg-proxy", Image: "sql-proxy", VolumeMounts: mount("sockets"), RestartPolicy: always, StartupProbe: probe,
			Ports: []corev1.ContainerPort{{Name: "pg", ContainerPort: 5432}},
		},
	}
	if diff := cmp.Diff(want, spec.InitContainers, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for name, isUsed := range map[string]bool{"secrets": true, "sockets": true, "others": false} {
		if got := slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == name }); got != isUsed {
			t.Errorf("the Job has volume %s: %t, want %t", name, got, isUsed)
		}
	}
}

// TestJobsLeaveOutClaims proves that a Job has no claims of devices, because they belong to the pod, and says so.
func TestJobsLeaveOutClaims(t *testing.T) {
	pod := readPod(t, "testdata/chart/pod.yaml")
	if got := jobFor(t, pod, settings()).Annotations; got != nil {
		t.Errorf("a Job that leaves out nothing has the annotations %v", got)
	}
	pod.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "crypto"}}
	pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "other", Image: "other"})
	for i := range pod.Spec.Containers {
		pod.Spec.Containers[i].Resources.Claims = []corev1.ResourceClaim{{Name: "crypto"}}
	}
	job := jobFor(t, pod, settings())
	if spec := job.Spec.Template.Spec; spec.ResourceClaims != nil || spec.Containers[0].Resources.Claims != nil {
		t.Errorf("the Job has claims: %+v", spec)
	}
	const want = `resource claims "crypto" of container "proxy"`
	if got := job.Annotations[annotations.LeftOut]; got != want {
		t.Errorf("annotation %s is %q, want %q", annotations.LeftOut, got, want)
	}
}

// TestJobsWaitLonger proves that each Job waits longer for the database than the one before it, up to the deadline.
func TestJobsWaitLonger(t *testing.T) {
	for attempt, want := range map[int32]string{1: "30", 2: "60", 3: "120", 7: "600", 1000: "600"} {
		job := jobWithAttempt(t, readPod(t, "testdata/chart/pod.yaml"), settings(), attempt)
		for _, variable := range job.Spec.Template.Spec.Containers[0].Env {
			if variable.Name == "KONGDAO_WAIT" && variable.Value != want {
				t.Errorf("attempt %d waits %s s, want %s s", attempt, variable.Value, want)
			}
		}
	}
}

// TestJobsAreInjected proves that the pod of a Job has all that the injection gives it: to inject it again changes
// nothing. It uses the injected pods of package mutate that have migrations.
func TestJobsAreInjected(t *testing.T) {
	checked := 0
	for _, c := range goldens.Cases(t, "../mutate/testdata") {
		if c.Want.Denial != "" {
			continue
		}
		var pod corev1.Pod
		if err := yaml.Unmarshal([]byte(c.Want.Pod), &pod); err != nil {
			t.Fatal(err)
		}
		if _, ok := migrate.RequirementOfInjected("kong", viewOf(t, &pod)); !ok {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			template := jobFor(t, &pod, settings()).Spec.Template
			jobPod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
			jobPod.Annotations = map[string]string{}
			for _, name := range []string{annotations.Plugins, annotations.InjectionRecord} {
				jobPod.Annotations[name] = pod.Annotations[name]
			}
			jobPod.Labels = map[string]string{annotations.Injected: "true"}
			decision := goldens.Admit(t, c.Namespace, viewOf(t, jobPod), goldens.Catalog(c.Sources))
			if len(decision.Denials) > 0 {
				t.Fatal(decision.Denials)
			}
			// The injection may remove what another container of the pod mounts.
			changes := slices.DeleteFunc(decision.Patch, func(operation mutate.Operation) bool {
				return operation.Op == "remove"
			})
			if len(changes) > 0 {
				t.Errorf("the injection adds %+v", changes)
			}
			checked++
		})
	}
	if checked < 2 {
		t.Errorf("only %d pods of package mutate have a database", checked)
	}
}

// TestJobNames proves that equal Jobs have the same name, and that Jobs with other settings or another container have
// other names.
func TestJobNames(t *testing.T) {
	pod := func() *corev1.Pod { return readPod(t, "testdata/chart/pod.yaml") }
	first := jobFor(t, pod(), settings())
	if again := jobFor(t, pod(), settings()); again.Name != first.Name {
		t.Errorf("equal Jobs are called %s and %s", first.Name, again.Name)
	}
	slower := settings()
	slower.TimeoutSeconds++
	upgraded := pod()
	for i := range upgraded.Spec.Containers {
		if upgraded.Spec.Containers[i].Name == "proxy" {
			upgraded.Spec.Containers[i].Image = "kong:3.9.1"
		}
	}
	for change, other := range map[string]*batchv1.Job{
		"settings": jobFor(t, pod(), slower), "image": jobFor(t, upgraded, settings()),
	} {
		if other.Name == first.Name {
			t.Errorf("a Job with another %s has the same name %s", change, other.Name)
		}
	}
	if len(first.Name) > 63 || !strings.Contains(first.Name, "-up-") {
		t.Errorf("the name %s is not a label value with the step", first.Name)
	}
}

// TestSettingsOverrideMeshMetadata proves that the settings override the labels and annotations that stop meshes. They
// do not override what the controller finds its Jobs by.
func TestSettingsOverrideMeshMetadata(t *testing.T) {
	with := settings()
	with.PodLabels = map[string]string{
		"sidecar.istio.io/inject": "true", "kuma.io/sidecar-injection": "enabled", annotations.Migration: "other",
	}
	with.PodAnnotations = map[string]string{"linkerd.io/inject": "enabled"}
	template := jobFor(t, readPod(t, "testdata/chart/pod.yaml"), with).Spec.Template
	for name, want := range map[string]string{"sidecar.istio.io/inject": "true", "kuma.io/sidecar-injection": "enabled"} {
		if got := template.Labels[name]; got != want {
			t.Errorf("label %s has the value %q, want %q of the settings", name, got, want)
		}
	}
	if got := template.Labels[annotations.Migration]; got == "other" {
		t.Errorf("the settings replace label %s", annotations.Migration)
	}
	if got := template.Annotations["linkerd.io/inject"]; got != "enabled" {
		t.Errorf("annotation linkerd.io/inject has the value %q, want that of the settings", got)
	}
}

// TestJobPodMetadata proves that the pod of a Job has no label of the Kong pod, so that no Service, disruption budget
// or network policy of Kong selects it. It has the labels and annotations of the settings.
func TestJobPodMetadata(t *testing.T) {
	pod := readPod(t, "testdata/chart/pod.yaml")
	with := settings()
	with.PodLabels = map[string]string{"network": "database"}
	with.PodAnnotations = map[string]string{"sidecar.istio.io/inject": "true", "a": "b"}
	template := jobFor(t, pod, with).Spec.Template
	for name, value := range pod.Labels {
		if template.Labels[name] == value {
			t.Errorf("the Job has the pod's label %s=%s", name, value)
		}
	}
	if template.Labels["network"] != "database" || template.Annotations["a"] != "b" ||
		template.Annotations["sidecar.istio.io/inject"] != "true" {
		t.Errorf("labels %v, annotations %v", template.Labels, template.Annotations)
	}
}

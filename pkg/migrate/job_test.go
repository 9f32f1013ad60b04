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

var update = flag.Bool("update", false, "write the Jobs that are made now as what the cases want")

// settings are the chart's.
func settings() migrate.Settings {
	return migrate.Settings{TimeoutSeconds: 600, DeadlineSeconds: 1800, TTLSeconds: 86400, HistoryLimit: 10}
}

// jobOf makes the Job of an "up" for a pod that was injected.
func jobOf(t *testing.T, pod *corev1.Pod, settings migrate.Settings) *batchv1.Job {
	t.Helper()
	need := needOf(t, pod)
	record := &v1alpha1.PluginMigration{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kong", Name: need.MigrationName(), UID: "1-2-3"}, Spec: need.Spec(),
	}
	job, err := migrate.NewJob(record, migrate.JobStart{
		Migration: record.Name, Step: migrate.StepUp, Attempt: 1, Finish: migrate.FinishNone, From: migrate.Pod{Requirement: need},
	}, pod, settings)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func needOf(t *testing.T, pod *corev1.Pod) migrate.Requirement {
	t.Helper()
	need, ok := migrate.RequirementOfInjected("kong", viewOf(t, pod))
	if !ok {
		t.Fatal("the pod needs no migration")
	}
	return need
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

// TestJobGoldens proves what of a pod its Job takes over; each case's first line
// says which.
func TestJobGoldens(t *testing.T) {
	folders, err := filepath.Glob("testdata/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			files, err := os.ReadDir(folder)
			if err != nil || len(files) != 2 && !*update {
				t.Fatalf("a case has pod.yaml and job.yaml: %v %v", files, err)
			}
			job := jobOf(t, readPod(t, filepath.Join(folder, "pod.yaml")), settings())
			container := &job.Spec.Template.Spec.Containers[0]
			if container.Command[2] != migrate.Script() {
				t.Error("the command is not the script")
			}
			container.Command[2] = "(job.sh)"
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
				t.Errorf("(-want +got; after a look, write it with -update)\n%s", diff)
			}
		})
	}
}

// TestJobsAreInjected proves, of every pod that the core's cases inject and that
// brings migrations, that the Job's pod has what the core would give it: asking
// again changes nothing.
func TestJobsAreInjected(t *testing.T) {
	proved := 0
	for _, c := range goldens.Cases(t, "../mutate/testdata") {
		if c.Want.Denial != "" {
			continue
		}
		var pod corev1.Pod
		if err := yaml.Unmarshal([]byte(c.Want.Pod), &pod); err != nil {
			t.Fatal(err)
		}
		if _, needs := migrate.RequirementOfInjected("kong", viewOf(t, &pod)); !needs {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			template := jobOf(t, &pod, settings()).Spec.Template
			asks := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
			asks.Annotations = map[string]string{annotations.Plugins: pod.Annotations[annotations.Plugins], annotations.InjectionRecord: pod.Annotations[annotations.InjectionRecord]}
			asks.Labels = map[string]string{annotations.Injected: "true"}
			decision := goldens.Admit(t, c.Namespace, viewOf(t, asks), goldens.Catalog(c.Sources))
			if len(decision.Denials) > 0 {
				t.Fatal(decision.Denials)
			}
			// What another container of the pod mounts beside it may be too much here.
			left := slices.DeleteFunc(decision.Patch, func(operation mutate.Operation) bool { return operation.Op == "remove" })
			if len(left) > 0 {
				t.Errorf("the core would add %+v", left)
			}
			proved++
		})
	}
	if proved < 2 {
		t.Errorf("only %d of the core's cases have a database", proved)
	}
}

// TestJobNames proves that a Job which is another has another name, and the same
// one the same: of another attempt, another container, other settings or another
// record.
func TestJobNames(t *testing.T) {
	pod := func() *corev1.Pod { return readPod(t, "testdata/chart/pod.yaml") }
	first := jobOf(t, pod(), settings())
	if again := jobOf(t, pod(), settings()); again.Name != first.Name {
		t.Errorf("%s and %s", first.Name, again.Name)
	}
	slower := settings()
	slower.TimeoutSeconds++
	changed := pod()
	for i := range changed.Spec.Containers {
		if changed.Spec.Containers[i].Name == "proxy" {
			changed.Spec.Containers[i].Image = "kong:3.9.1"
		}
	}
	for what, other := range map[string]*batchv1.Job{"settings": jobOf(t, pod(), slower), "image": jobOf(t, changed, settings())} {
		if other.Name == first.Name {
			t.Errorf("with other %s: %s", what, other.Name)
		}
	}
	if len(first.Name) > 63 || !strings.Contains(first.Name, "-up-") {
		t.Errorf("%s: no label's value", first.Name)
	}
}

// TestJobPodsAreNobodys proves that no Service, budget or policy of Kong's finds
// a Job's pod, and that what an installation adds is there.
func TestJobPodsAreNobodys(t *testing.T) {
	pod := readPod(t, "testdata/chart/pod.yaml")
	with := settings()
	with.PodLabels = map[string]string{"network": "database"}
	with.PodAnnotations = map[string]string{"sidecar.istio.io/inject": "true", "a": "b"}
	template := jobOf(t, pod, with).Spec.Template
	for name, value := range pod.Labels {
		if template.Labels[name] == value {
			t.Errorf("label %s=%s is the pod's", name, value)
		}
	}
	if template.Labels["network"] != "database" || template.Annotations["a"] != "b" || template.Annotations["sidecar.istio.io/inject"] != "true" {
		t.Errorf("labels %v, annotations %v", template.Labels, template.Annotations)
	}
}

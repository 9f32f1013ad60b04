package migrate

import (
	"crypto/sha256"
	_ "embed" // job.sh
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

//go:embed job.sh
var script string

// Script returns the script that the container of a Job runs with "sh -c".
func Script() string { return script }

// Settings are the options of an installation for Jobs.
type Settings struct {
	// TimeoutSeconds limits how long one migration may take.
	TimeoutSeconds int64
	// DeadlineSeconds limits how long the pod of a Job tries.
	DeadlineSeconds int64
	// TTLSeconds is how long a Job stays after it ended.
	TTLSeconds int32
	// HistoryLimit is the number of PluginMigrations of a database to keep that no pod requires.
	HistoryLimit int
	// AbandonedAfter is how long to keep the PluginMigrations of a database that no pod uses. If it is 0, they stay.
	AbandonedAfter time.Duration
	// FinishDelay is how long "kong migrations finish" must be possible before it starts.
	FinishDelay time.Duration
	// PodLabels and PodAnnotations are added to the pods of Jobs.
	PodLabels, PodAnnotations map[string]string
}

// backoffLimit is how many pods of a Job may fail, for example because a node fails, before the Job fails.
const backoffLimit = 6

// NewJob returns the Job for a migration. It runs the Kong container of a pod that has the migrations, with the parts
// of the pod that the container needs. It has no labels of the pod, so that no Service selects it.
func NewJob(
	migration *v1alpha1.PluginMigration, start JobStart, pod *corev1.Pod, settings Settings,
) (*batchv1.Job, error) {
	from, err := findContainer(pod, start.From.Requirement.Container)
	if err != nil {
		return nil, err
	}
	container, included := newContainer(from), includedContainers(pod, start.From.Requirement.With)
	volumes := usedVolumes(pod.Spec.Volumes, append(slices.Clone(included), container))
	addWritableFolders(&container, &volumes)
	setVariables(&container, scriptVariables(migration, start, configurationFile(from), settings))
	labels := jobLabels(migration, start)
	job := &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: migration.Namespace, Labels: labels,
			Annotations: leftOut(pod, append([]string{from.Name}, start.From.Requirement.With...)),
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion().String(), Kind: "PluginMigration",
				Name: migration.Name, UID: migration.UID, Controller: new(true),
			}},
		},
		Spec: batchv1.JobSpec{
			BackoffLimit: new(int32(backoffLimit)), TTLSecondsAfterFinished: new(settings.TTLSeconds),
			PodFailurePolicy: podFailurePolicy(),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: podMetadata(labels, settings),
				Spec:       newPodSpec(pod, container, included, volumes, settings),
			},
		},
	}
	return job, setJobName(job, migration)
}

// setJobName derives the name of a Job from its content. A Job with other content is a new object, because the template
// of a Job is immutable.
func setJobName(job *batchv1.Job, migration *v1alpha1.PluginMigration) error {
	text, err := json.Marshal(job)
	if err != nil {
		return fmt.Errorf("encode the Job of PluginMigration %q: %w", migration.Name, err)
	}
	sum := sha256.Sum256(text)
	job.Name = migration.Name + "-" + job.Labels[annotations.Step] + "-" + hex.EncodeToString(sum[:])[:8]
	return nil
}

func jobLabels(migration *v1alpha1.PluginMigration, start JobStart) map[string]string {
	return map[string]string{
		annotations.Database: migration.Spec.Database.Key, annotations.Migration: migration.Name,
		annotations.Template: start.From.Template,
		annotations.Step:     string(start.Step), annotations.Attempt: strconv.Itoa(int(start.Attempt)),
		"app.kubernetes.io/managed-by": "kongdao", "app.kubernetes.io/component": "migrations",
	}
}

// podMetadata returns the labels and annotations of the pods of a Job. They stop service meshes from adding a
// container: a Job with a container that runs forever does not complete by itself. The settings can override these
// labels and annotations, but not the labels that the controller finds its Jobs by.
func podMetadata(jobLabels map[string]string, settings Settings) metav1.ObjectMeta {
	podLabels := map[string]string{"sidecar.istio.io/inject": "false", "kuma.io/sidecar-injection": "disabled"}
	maps.Copy(podLabels, settings.PodLabels)
	maps.Copy(podLabels, jobLabels)
	podAnnotations := map[string]string{
		"sidecar.istio.io/inject":             "false",
		"linkerd.io/inject":                   "disabled",
		"kuma.io/sidecar-injection":           "disabled",
		"consul.hashicorp.com/connect-inject": "false",
	}
	maps.Copy(podAnnotations, settings.PodAnnotations)
	return metav1.ObjectMeta{Labels: podLabels, Annotations: podAnnotations}
}

// podFailurePolicy fails the Job immediately if the script reports that another try would end the same way. It ignores
// pods that lost their node. A pod that is deleted counts as failed even if it then exits 0 (fact K34).
func podFailurePolicy() *batchv1.PodFailurePolicy {
	return &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
		{
			Action: batchv1.PodFailurePolicyActionIgnore,
			OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
				{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue},
			},
		},
		{
			Action: batchv1.PodFailurePolicyActionFailJob,
			OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
				Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{10, 11, 12, 13, 14, 16},
			},
		},
	}}
}

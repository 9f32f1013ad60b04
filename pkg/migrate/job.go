package migrate

import (
	"crypto/sha256"
	_ "embed" // the script
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

//go:embed job.sh
var script string

// Script is what a Job's container runs, for "sh -c".
func Script() string { return script }

// Settings are what an installation decides about Jobs.
type Settings struct {
	// Timeout is how long one migration may take, in seconds (K14, K28).
	Timeout int64
	// Deadline is how long a Job's pod tries, in seconds.
	Deadline int64
	// Retention is how long a Job stays when it has ended, in seconds.
	Retention int32
	// PodLabels and PodAnnotations are for the Jobs' pods.
	PodLabels, PodAnnotations map[string]string
	// History is how many records of one database are kept that no pod needs.
	History int
}

// retries is how often a Job makes a pod again that was killed, or lost its node.
const retries = 6

const (
	containerName = "kong-migrations"
	prefixVolume  = "kongdao-prefix"
	prefixFolder  = "/kongdao-prefix"
	tmpVolume     = "kongdao-tmp"
)

// NewJob makes the Job of a start, for a record, out of a pod that carries the
// record's migrations: its Kong container, and of the rest only what that needs.
// No label of the pod is taken over: no Service must find the Job.
func NewJob(record *v1alpha1.PluginMigration, start Start, pod *corev1.Pod, settings Settings) (*batchv1.Job, error) {
	container, err := containerOf(pod, start.From.Requirement.Container)
	if err != nil {
		return nil, err
	}
	kept := volumesOf(pod, container)
	changeContainer(container, &kept, record, start, settings)
	labels := map[string]string{
		annotations.Database: record.Spec.Database.Key, annotations.Migration: record.Name,
		annotations.Step: string(start.Step), annotations.Attempt: strconv.Itoa(int(start.Attempt)),
		"app.kubernetes.io/managed-by": "kongdao", "app.kubernetes.io/component": "migrations",
	}
	podLabels := maps.Clone(settings.PodLabels)
	if podLabels == nil {
		podLabels = map[string]string{}
	}
	maps.Copy(podLabels, meshLabels())
	maps.Copy(podLabels, labels)
	podAnnotations := meshAnnotations()
	maps.Copy(podAnnotations, settings.PodAnnotations)
	job := &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: record.Namespace, Labels: labels,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion().String(), Kind: "PluginMigration",
				Name: record.Name, UID: record.UID, Controller: new(true),
			}},
		},
		Spec: batchv1.JobSpec{
			BackoffLimit: new(int32(retries)), TTLSecondsAfterFinished: new(settings.Retention),
			PodFailurePolicy: failurePolicy(),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: podLabels, Annotations: podAnnotations},
				Spec:       podSpec(pod, container, kept, settings),
			},
		},
	}
	return job, name(job, record)
}

// name is by content: a changed Job never meets one that cannot be changed.
func name(job *batchv1.Job, record *v1alpha1.PluginMigration) error {
	text, err := json.Marshal(job)
	if err != nil {
		return fmt.Errorf("write down the Job of PluginMigration %q: %w", record.Name, err)
	}
	sum := sha256.Sum256(text)
	job.Name = record.Name + "-" + job.Labels[annotations.Step] + "-" + hex.EncodeToString(sum[:])[:8]
	return nil
}

func containerOf(pod *corev1.Pod, name string) (*corev1.Container, error) {
	for _, containers := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range containers {
			if containers[i].Name == name {
				return containers[i].DeepCopy(), nil
			}
		}
	}
	return nil, fmt.Errorf("pod %q has no container %q to migrate with", pod.Namespace+"/"+pod.Name, name)
}

// volumesOf are those that the container mounts. The one with the service
// account's token is the API server's to add, as to every pod.
func volumesOf(pod *corev1.Pod, container *corev1.Container) []corev1.Volume {
	token := func(name string) bool { return strings.HasPrefix(name, "kube-api-access-") }
	container.VolumeMounts = slices.DeleteFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool { return token(mount.Name) })
	var kept []corev1.Volume
	for _, volume := range pod.Spec.Volumes {
		mounted := slices.ContainsFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool { return mount.Name == volume.Name })
		device := slices.ContainsFunc(container.VolumeDevices, func(device corev1.VolumeDevice) bool { return device.Name == volume.Name })
		if mounted || device {
			kept = append(kept, volume)
		}
	}
	return kept
}

// changeContainer makes of the pod's container the one that migrates: as it is,
// but with the script, a fresh prefix (K15) and somewhere to write.
func changeContainer(container *corev1.Container, volumes *[]corev1.Volume, record *v1alpha1.PluginMigration, start Start, settings Settings) {
	container.Name = containerName
	container.Command, container.Args = []string{"/bin/sh", "-c", script}, nil
	container.Ports, container.Lifecycle, container.RestartPolicy = nil, nil, nil
	container.LivenessProbe, container.ReadinessProbe, container.StartupProbe = nil, nil, nil
	container.Stdin, container.StdinOnce, container.TTY = false, false, false
	container.ResizePolicy = nil
	container.TerminationMessagePath = corev1.TerminationMessagePathDefault
	container.TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	set := func(name, value string) {
		variable := corev1.EnvVar{Name: name, Value: strings.ReplaceAll(value, "$", "$$")}
		at := slices.IndexFunc(container.Env, func(old corev1.EnvVar) bool { return old.Name == name })
		if at < 0 {
			container.Env = append(container.Env, variable)
			return
		}
		container.Env[at] = variable // others may refer to it (P2)
		container.Env = append(container.Env[:at+1], slices.DeleteFunc(container.Env[at+1:], func(old corev1.EnvVar) bool { return old.Name == name })...)
	}
	set("KONG_PREFIX", prefixFolder)
	set("KONG_PG_TIMEOUT", "5000") // of list: steps have --db-timeout
	set("KONGDAO_EXPECT", strings.Join(linesOf(record.Spec.Plugins), "\n"))
	set("KONGDAO_STEP", string(start.Step))
	set("KONGDAO_FINISH", string(start.Finish))
	set("KONGDAO_PENDING", strings.Join(start.Pending, "\n"))
	set("KONGDAO_TIMEOUT", strconv.FormatInt(settings.Timeout, 10))
	set("KONGDAO_DEADLINE", strconv.FormatInt(settings.Deadline, 10))
	set("KONGDAO_TRIES", "3")
	writable := func(volume, folder string) {
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: folder})
		*volumes = append(*volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
	}
	writable(prefixVolume, prefixFolder)
	if !slices.ContainsFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool { return path.Clean(mount.MountPath) == "/tmp" }) {
		writable(tmpVolume, "/tmp")
	}
}

// linesOf are the migrations that Kong has to list, a line a plugin. Names that
// a line could not hold are left out: of them only the plugin is looked for.
func linesOf(plugins []v1alpha1.PluginMigrations) []string {
	lines := make([]string, len(plugins))
	for i, plugin := range plugins {
		var names []string
		for _, migration := range plugin.Migrations {
			if !strings.ContainsAny(migration.Name, ",: \n\t\r") {
				names = append(names, migration.Name)
			}
		}
		lines[i] = plugin.Name + ": " + strings.Join(names, ", ")
		if len(names) == 0 {
			lines[i] = plugin.Name + ":"
		}
	}
	return lines
}

// podSpec is what the container needs of its pod: who it is, where it may run,
// and how it finds the database. Affinity to and from other pods stays behind,
// for it is about gateways.
func podSpec(pod *corev1.Pod, container *corev1.Container, volumes []corev1.Volume, settings Settings) corev1.PodSpec {
	from := pod.Spec
	spec := corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers:    []corev1.Container{*container}, Volumes: volumes,
		TerminationGracePeriodSeconds: new(settings.Timeout), // K34
		ServiceAccountName:            from.ServiceAccountName, AutomountServiceAccountToken: from.AutomountServiceAccountToken,
		SecurityContext: from.SecurityContext, ImagePullSecrets: from.ImagePullSecrets,
		NodeSelector: from.NodeSelector, Tolerations: ownTolerations(from.Tolerations),
		SchedulerName: from.SchedulerName, RuntimeClassName: from.RuntimeClassName, PriorityClassName: from.PriorityClassName,
		HostNetwork: from.HostNetwork, DNSPolicy: from.DNSPolicy, DNSConfig: from.DNSConfig, HostAliases: from.HostAliases,
		HostUsers: from.HostUsers, EnableServiceLinks: from.EnableServiceLinks,
	}
	if from.Affinity != nil && from.Affinity.NodeAffinity != nil {
		spec.Affinity = &corev1.Affinity{NodeAffinity: from.Affinity.NodeAffinity}
	}
	return spec
}

// ownTolerations are those that the pod's makers gave it: two are added to every
// pod by the API server, and would be again.
func ownTolerations(tolerations []corev1.Toleration) []corev1.Toleration {
	return slices.DeleteFunc(slices.Clone(tolerations), func(toleration corev1.Toleration) bool {
		return toleration.Effect == corev1.TaintEffectNoExecute && toleration.TolerationSeconds != nil && *toleration.TolerationSeconds == 300 &&
			(toleration.Key == corev1.TaintNodeNotReady || toleration.Key == corev1.TaintNodeUnreachable)
	})
}

// failurePolicy ends the Job where the script says that trying again would come
// to the same, and does not count pods that lost their node (K34).
func failurePolicy() *batchv1.PodFailurePolicy {
	return &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
		{
			Action:          batchv1.PodFailurePolicyActionIgnore,
			OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
		},
		{
			Action: batchv1.PodFailurePolicyActionFailJob,
			OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
				Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{10, 11, 12, 13, 14},
			},
		},
	}}
}

// meshAnnotations and meshLabels keep meshes from adding a sidecar, beside which
// a Job would never end.
func meshAnnotations() map[string]string {
	return map[string]string{
		"sidecar.istio.io/inject":             "false",
		"linkerd.io/inject":                   "disabled",
		"kuma.io/sidecar-injection":           "disabled",
		"consul.hashicorp.com/connect-inject": "false",
	}
}

func meshLabels() map[string]string {
	return map[string]string{"sidecar.istio.io/inject": "false", "kuma.io/sidecar-injection": "disabled"}
}

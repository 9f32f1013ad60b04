// Package verify builds what runs Kong on a plugin without a database: a Job in a cluster, or a command of a container
// runtime. Both run the first step of the Jobs for migrations, in which Kong loads the plugin. The package is pure.
package verify

import (
	"path"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/migrate"
)

// File is a file of a plugin, in a key of a ConfigMap.
type File struct{ Path, ConfigMap, Key string }

// Kong is how Kong runs.
type Kong struct {
	Image            string
	ImagePullPolicy  corev1.PullPolicy
	ImagePullSecrets []corev1.LocalObjectReference
	// Env are settings of Kong, without those for databases and listeners.
	Env          []corev1.EnvVar
	RunAsUser    *int64
	NodeSelector map[string]string
	Tolerations  []corev1.Toleration
}

// Target is what is verified.
type Target struct {
	// Namespace and Name are those of the Job.
	Namespace, Name string
	Plugin          string
	Files           []File
	Kong            Kong
	TimeoutSeconds  int64
}

const (
	// container is the name of the container that runs Kong.
	container     = "kong"
	prefixPath    = "/kongdao-prefix"
	pluginsVolume = "plugin"
	// kongUser is the user of Kong's images. Their name is not a number, so the kubelet cannot check that it is not root.
	kongUser = 1000
	// keepSeconds is how long the Job stays if the command that created it ends early.
	keepSeconds = 600
)

// Labels are the labels of the Job and of its pod.
func (t Target) Labels() map[string]string {
	return map[string]string{
		"app.kubernetes.io/managed-by": "kubectl-kongdao", "app.kubernetes.io/component": "verify",
		"app.kubernetes.io/instance": t.Name,
	}
}

// NewJob returns the Job. It is suspended, so that its ConfigMaps and its NetworkPolicy can have it as owner. Its pod
// complies with the Pod Security Standard "restricted", has no token, and gets no plugins from policies.
func NewJob(target Target) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: target.Namespace, Name: target.Name, Labels: target.Labels()},
		Spec: batchv1.JobSpec{
			Suspend: new(true), BackoffLimit: new(int32(0)), ActiveDeadlineSeconds: new(target.TimeoutSeconds),
			TTLSecondsAfterFinished: new(int32(keepSeconds)),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels: target.Labels(),
					Annotations: map[string]string{
						annotations.Inject: "false", "sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled",
					},
				},
				Spec: target.podSpec(),
			},
		},
	}
}

func (t Target) podSpec() corev1.PodSpec {
	user := t.Kong.RunAsUser
	if user == nil {
		user = new(int64(kongUser))
	}
	return corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: new(false), EnableServiceLinks: new(false),
		ImagePullSecrets: t.Kong.ImagePullSecrets, NodeSelector: t.Kong.NodeSelector, Tolerations: t.Kong.Tolerations,
		TerminationGracePeriodSeconds: new(int64(0)),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: user, FSGroup: user,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name: container, Image: t.Kong.Image, ImagePullPolicy: t.Kong.ImagePullPolicy,
			Args: []string{"/bin/sh", "-c", migrate.Script()},
			Env:  t.variables(),
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
			TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
			VolumeMounts: []corev1.VolumeMount{
				{Name: pluginsVolume, MountPath: path.Join(annotations.PluginsFolder, t.Plugin), ReadOnly: true},
				{Name: "prefix", MountPath: prefixPath}, {Name: "tmp", MountPath: "/tmp"},
			},
		}},
		Volumes: []corev1.Volume{
			{Name: pluginsVolume, VolumeSource: corev1.VolumeSource{Projected: t.pluginVolume()}},
			{Name: "prefix", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		},
	}
}

// variables returns the environment of Kong. The script needs the last ones.
func (t Target) variables() []corev1.EnvVar {
	env := append([]corev1.EnvVar(nil), t.Kong.Env...)
	for _, setting := range settings(t.Plugin) {
		env = append(env, corev1.EnvVar{Name: setting[0], Value: setting[1]})
	}
	return env
}

// settings are the variables that make Kong load a plugin, and the script do only that.
func settings(plugin string) [][2]string {
	return [][2]string{
		{"KONG_PLUGINS", "bundled," + plugin}, {"KONG_LUA_PACKAGE_PATH", "/opt/?.lua;/opt/?/init.lua;;"},
		{"KONG_PREFIX", prefixPath}, {"KONGDAO_STEP", "load"},
	}
}

// pluginVolume puts the files of all ConfigMaps into one folder.
func (t Target) pluginVolume() *corev1.ProjectedVolumeSource {
	volume := &corev1.ProjectedVolumeSource{}
	for _, file := range t.Files {
		last := len(volume.Sources) - 1
		if last < 0 || volume.Sources[last].ConfigMap.Name != file.ConfigMap {
			volume.Sources = append(volume.Sources, corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: file.ConfigMap},
			}})
			last++
		}
		volume.Sources[last].ConfigMap.Items = append(volume.Sources[last].ConfigMap.Items,
			corev1.KeyToPath{Key: file.Key, Path: file.Path})
	}
	return volume
}

// NewNetworkPolicy returns the policy that denies the Job's pod all traffic. Kong needs only its loopback address.
func NewNetworkPolicy(target Target) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: target.Namespace, Name: target.Name, Labels: target.Labels()},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: target.Labels()},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		},
	}
}

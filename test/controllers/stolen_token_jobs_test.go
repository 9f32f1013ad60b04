package controllers

import (
	"context"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/installation"
)

// sameJob returns a new Job like an existing one, with a change.
func sameJob(job *batchv1.Job, change func(*batchv1.Job)) *batchv1.Job {
	job = job.DeepCopy()
	same := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: job.Namespace, Name: job.Name + "-same", Labels: job.Labels, OwnerReferences: job.OwnerReferences,
		},
		Spec: job.Spec,
	}
	same.Spec.Selector = nil
	for label := range same.Spec.Template.Labels {
		if strings.HasSuffix(label, "controller-uid") || strings.HasSuffix(label, "job-name") {
			delete(same.Spec.Template.Labels, label)
		}
	}
	change(same)
	return same
}

// accountWith creates a service account that can create objects of a resource in a namespace.
func accountWith(t *testing.T, namespace, group, resource string) string {
	t.Helper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "creates-" + resource}
	shared.Create(t, &corev1.ServiceAccount{ObjectMeta: meta},
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"create"}},
		}},
		&rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: meta.Name}},
		})
	return meta.Name
}

// TestStolenTokenJobs proves which Jobs the controller's account can create: those of the controller, and no others.
func TestStolenTokenJobs(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	shared.Create(t, pod(ns, "kong", "dao-test@1.0.0"))
	job := runningJob(t, ns, "up")
	createsPods := accountWith(t, ns, "", "pods")
	createsDeployments := accountWith(t, ns, "apps", "deployments")
	const notAMigration, noLabels = "whose controller is the PluginMigration", "with the labels of a migration"
	const excluded, onNode = "kongdao does not work in this namespace", "with access to their node"
	const powerful = "a service account that can create pods or Deployments"
	inPod := func(change func(*corev1.PodSpec)) func(*batchv1.Job) {
		return func(job *batchv1.Job) { change(&job.Spec.Template.Spec) }
	}
	secure := func(context corev1.SecurityContext) func(*batchv1.Job) {
		return inPod(func(pod *corev1.PodSpec) { pod.Containers[0].SecurityContext = &context })
	}
	add := func(capability corev1.Capability) func(*batchv1.Job) {
		return secure(corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{capability}}})
	}
	for name, test := range map[string]struct {
		change func(*batchv1.Job)
		want   string
	}{
		"the Job of the controller": {func(*batchv1.Job) {}, ""},
		"host network":              {inPod(func(pod *corev1.PodSpec) { pod.HostNetwork = true }), ""},
		"a usual capability":        {add("NET_BIND_SERVICE"), ""},
		"no owner":                  {func(job *batchv1.Job) { job.OwnerReferences = nil }, notAMigration},
		"another owner":             {func(job *batchv1.Job) { job.OwnerReferences[0].Kind = "PluginPolicy" }, notAMigration},
		"another API":               {func(job *batchv1.Job) { job.OwnerReferences[0].APIVersion = "v1" }, notAMigration},
		"an owner that is not the controller": {
			func(job *batchv1.Job) { job.OwnerReferences[0].Controller = nil }, notAMigration,
		},
		"another PluginMigration": {func(job *batchv1.Job) { job.OwnerReferences[0].Name = "other" }, notAMigration},
		"two owners": {
			func(job *batchv1.Job) {
				job.OwnerReferences = append(job.OwnerReferences, metav1.OwnerReference{
					APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "1",
				})
			}, notAMigration,
		},
		"another manager": {
			func(job *batchv1.Job) { job.Labels["app.kubernetes.io/managed-by"] = "x" }, noLabels,
		},
		"another step":        {func(job *batchv1.Job) { job.Labels[annotations.Step] = "reset" }, noLabels},
		"no database":         {func(job *batchv1.Job) { delete(job.Labels, annotations.Database) }, noLabels},
		"pods without labels": {func(job *batchv1.Job) { job.Spec.Template.Labels = nil }, noLabels},
		"kube-system":         {func(job *batchv1.Job) { job.Namespace = metav1.NamespaceSystem }, excluded},
		"kongdao's namespace": {func(job *batchv1.Job) { job.Namespace = system }, excluded},
		"a node": {
			inPod(func(pod *corev1.PodSpec) { pod.NodeName = "node-1" }), "whose pods the scheduler assigns to a node",
		},
		"privileged":        {secure(corev1.SecurityContext{Privileged: new(true)}), onNode},
		"a kernel module":   {add("SYS_MODULE"), onNode},
		"all capabilities":  {add("ALL"), onNode},
		"processes of node": {inPod(func(pod *corev1.PodSpec) { pod.HostPID = true }), onNode},
		"memory of node":    {inPod(func(pod *corev1.PodSpec) { pod.HostIPC = true }), onNode},
		"a folder of node": {
			inPod(func(pod *corev1.PodSpec) {
				pod.Volumes = append(pod.Volumes, corev1.Volume{Name: "host", VolumeSource: corev1.VolumeSource{
					HostPath: &corev1.HostPathVolumeSource{Path: "/"},
				}})
			}), onNode,
		},
		"a privileged init container": {
			inPod(func(pod *corev1.PodSpec) {
				pod.InitContainers = []corev1.Container{{
					Name: "first", Image: "x", SecurityContext: &corev1.SecurityContext{Privileged: new(true)},
				}}
			}), onNode,
		},
		"an account that creates pods": {
			inPod(func(pod *corev1.PodSpec) { pod.ServiceAccountName = createsPods }), powerful,
		},
		"that account in the old field": {
			inPod(func(pod *corev1.PodSpec) {
				pod.ServiceAccountName, pod.DeprecatedServiceAccount = "", createsPods
			}), powerful,
		},
		"an account that creates Deployments": {
			inPod(func(pod *corev1.PodSpec) { pod.ServiceAccountName = createsDeployments }), powerful,
		},
	} {
		t.Run(name, func(t *testing.T) {
			thief := stolenToken(t, installation.ControllerUser)
			try(t, test.want, func(ctx context.Context) error { return thief.Create(ctx, sameJob(job, test.change)) })
		})
	}
}

// TestStolenTokenJobDeletion proves that the controller's account can delete only Jobs of PluginMigrations.
func TestStolenTokenJobDeletion(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	shared.Create(t, pod(ns, "kong", "dao-test@1.0.0"))
	own := runningJob(t, ns, "up")
	foreign := sameJob(own, func(job *batchv1.Job) { job.OwnerReferences = nil })
	shared.Create(t, foreign)
	thief := stolenToken(t, installation.ControllerUser)
	try(t, "only Jobs whose controller is a PluginMigration", func(ctx context.Context) error {
		return thief.Delete(ctx, foreign)
	})
	try(t, "", func(ctx context.Context) error { return thief.Delete(ctx, own) })
}

// TestPrivilegedKong proves that the PluginMigration says what to do if the Kong container of a pod is privileged. Its
// Job would be too.
func TestPrivilegedKong(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	privileged := pod(ns, "kong", "dao-test@1.0.0")
	privileged.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
	shared.Create(t, privileged)
	expectLogError("with access to their node")
	wantMessage(t, ns, "dao-test@1.0.0", v1alpha1.ReasonCannotStart, "set the value migrations.allowPrivilegedJobs")
	wantJobs(t, ns)
	if get(t, privileged); !isGated(privileged) {
		t.Error("the pod no longer waits")
	}
}

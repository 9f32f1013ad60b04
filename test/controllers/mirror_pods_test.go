package controllers

import (
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// kubelet returns a client with the rights of a node's kubelet, and the node.
func kubelet(t *testing.T, name string) (client.Client, *corev1.Node) {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := webhook.Admin.Create(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	config, _, err := plane.User("system:node:"+name, "system:nodes")
	if err != nil {
		t.Fatal(err)
	}
	made, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return made, node
}

// mirrorPod returns what an attacker with the credentials of a kubelet creates. It is a mirror pod with a forged
// injection record. Its Kong container is privileged and mounts the root of the host.
func mirrorPod(namespace, name string, node *corev1.Node) *corev1.Pod {
	const record = `{"releases":[{"plugin":"dao-test","digest":"sha256:00","migrations":"sha256:00","sources":[]}]}`
	attack := forgedPod(namespace, name, record)
	delete(attack.Annotations, annotations.Plugins)
	attack.Annotations[corev1.MirrorPodAnnotationKey] = "0123"
	attack.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID, Controller: new(true),
	}}
	attack.Spec.SchedulingGates, attack.Spec.NodeName = nil, node.Name
	attack.Spec.Volumes = []corev1.Volume{{Name: "host", VolumeSource: corev1.VolumeSource{
		HostPath: &corev1.HostPathVolumeSource{Path: "/"},
	}}}
	container := &attack.Spec.Containers[0]
	container.VolumeMounts = []corev1.VolumeMount{{Name: "host", MountPath: "/opt/kong/plugins/dao-test"}}
	container.SecurityContext = &corev1.SecurityContext{Privileged: new(true)}
	container.Env = append(container.Env, corev1.EnvVar{Name: "KONG_PLUGINS", Value: "dao-test"})
	return attack
}

// TestMirrorPods proves that a kubelet gets no Job through a mirror pod (fact P4). A kubelet may not create Jobs. One
// mirror pod is in kube-system, which kongdao excludes, and one in a namespace where kongdao works.
func TestMirrorPods(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	node1, node := kubelet(t, "node-1")
	for _, namespace := range []string{metav1.NamespaceSystem, ns} {
		if err := node1.Create(t.Context(), mirrorPod(namespace, "kong-node-1", node)); err != nil {
			t.Fatal(err)
		}
	}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: "job"}}
	if err := node1.Create(t.Context(), job); !apierrors.IsForbidden(err) {
		t.Errorf("the kubelet can create Jobs: %v", err)
	}
	// These steps need the controller several times after it has seen the mirror pods.
	injected := pod(ns, "kong", "dao-test@1.0.0")
	shared.Create(t, injected)
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, injected)
	wantJobs(t, ns, "up")
	wantJobs(t, metav1.NamespaceSystem)
	for namespace, want := range map[string]int{metav1.NamespaceSystem: 0, ns: 1} {
		if migrations, err := migrationsIn(t.Context(), namespace); err != nil || len(migrations) != want {
			t.Errorf("namespace %s has %d PluginMigrations, want %d: %v", namespace, len(migrations), want, err)
		}
	}
}

// TestKubeletChangesAnnotations proves what a kubelet can change in the pods of its node through their status. It can
// change annotations, but not labels (NodeRestriction). A changed injection record gets it no PluginMigration, because
// the record does not match the pod's mounts.
func TestKubeletChangesAnnotations(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	daoTest(t, ns)
	injected := pod(ns, "kong", "dao-test@1.0.0")
	shared.Create(t, injected)
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, injected)
	node2, node := kubelet(t, "node-2")
	binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: node.Name}}
	if err := webhook.Admin.SubResource("binding").Create(t.Context(), injected, binding); err != nil {
		t.Fatal(err)
	}
	get(t, injected)

	labelled := injected.DeepCopy()
	labelled.Labels[annotations.Injected] = "false"
	if err := node2.Status().Patch(t.Context(), labelled, client.MergeFrom(injected)); !apierrors.IsForbidden(err) {
		t.Errorf("the kubelet can change labels: %v", err)
	}
	annotated := injected.DeepCopy()
	annotated.Annotations[annotations.InjectionRecord] = strings.ReplaceAll(
		injected.Annotations[annotations.InjectionRecord], "1.0.0", "1.1.0")
	if err := node2.Status().Patch(t.Context(), annotated, client.MergeFrom(injected)); err != nil {
		t.Fatal(err)
	}
	if get(t, injected); !strings.Contains(injected.Annotations[annotations.InjectionRecord], "1.1.0") {
		t.Errorf("the annotations are %v, want the changed record", injected.Annotations)
	}
	// These steps need the controller several times after it has seen the changed record.
	second := pod(ns, "second", "dao-test@1.0.0")
	shared.Create(t, onDatabase(second, "second"))
	endJob(t, runningJob(t, ns, "up"), done())
	wantUngated(t, second)
	wantJobs(t, ns, "up", "up")
	if migrations, err := migrationsIn(t.Context(), ns); err != nil || len(migrations) != 2 {
		t.Errorf("there are %d PluginMigrations, want those of the databases: %v", len(migrations), err)
	}
}

package api

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
)

// createNode creates a node, because a DaemonSet creates a pod for each node.
var createNode = sync.OnceValue(func() error {
	return webhook.Admin.Create(context.Background(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}})
})

// TestPodsOfEveryWorkload checks the pods of every kind of workload. Exactly the containers that run Kong have the
// plugin. In a pod of Kong's chart, some init containers run Kong too (fact K19).
func TestPodsOfEveryWorkload(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	if err := createNode(); err != nil {
		t.Fatal(err)
	}
	annotated := func(app string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: ns, Name: app, Annotations: requesting("dao-test")}
	}
	plain := func(app string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns, Name: app} }
	selects := func(app string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	}
	// The node is not ready, because it has no kubelet.
	daemon := gatewayTemplate("daemonset")
	daemon.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	job := annotatedTemplate("job", "dao-test")
	job.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	bare := annotatedTemplate("pod", "dao-test")
	bare.Namespace, bare.Name = ns, "pod"
	for app, object := range map[string]client.Object{
		"deployment": deployment(ns, "deployment", requesting("dao-test")),
		"statefulset": &appsv1.StatefulSet{ObjectMeta: annotated("statefulset"),
			Spec: appsv1.StatefulSetSpec{Selector: selects("statefulset"), Template: gatewayTemplate("statefulset")}},
		"daemonset": &appsv1.DaemonSet{ObjectMeta: annotated("daemonset"),
			Spec: appsv1.DaemonSetSpec{Selector: selects("daemonset"), Template: daemon}},
		"replicaset": &appsv1.ReplicaSet{ObjectMeta: plain("replicaset"),
			Spec: appsv1.ReplicaSetSpec{Selector: selects("replicaset"), Template: annotatedTemplate("replicaset", "dao-test")}},
		"job": &batchv1.Job{ObjectMeta: plain("job"), Spec: batchv1.JobSpec{Template: job}},
		"pod": &corev1.Pod{ObjectMeta: bare.ObjectMeta, Spec: bare.Spec},
	} {
		t.Run(app, func(t *testing.T) {
			shared.Create(t, object)
			created := waitForPod(t, ns, app, func(*corev1.Pod) error { return nil })
			if err := checkInjected(created, "dao-test", kongContainers...); err != nil {
				t.Error(err)
			}
			wantText(t, created.Annotations[annotations.InjectionRecord], `"plugin":"dao-test"`, `"sources":["plugin-dao-test"]`)
		})
	}
}

// TestWorkloadWithoutTemplateMetadata checks that the match conditions accept a workload without metadata in its
// template, so that the API server's own message appears.
func TestWorkloadWithoutTemplateMetadata(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	const manifest = `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "kong"%s},
		"spec": {"selector": {"matchLabels": {"app": "kong"}},
			"template": {"spec": {"containers": [{"name": "proxy", "image": "kong:3.9"}]}}}}`
	for _, own := range []string{``, `, "annotations": {}`, `, "annotations": {"kongdao.io/plugins": "dao-test"}`} {
		output := shared.Kubectl(t, ns, strings.Replace(manifest, "%s", own, 1), "create", "-f", "-")
		if !output.Failed {
			t.Fatal("the Deployment was created")
		}
		wantText(t, output.Stderr, "`selector` does not match template `labels`")
	}
}

// TestContainersAnnotationIsPropagated checks the annotation kongdao.io/containers.
func TestContainersAnnotationIsPropagated(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	own := requesting("dao-test")
	own[annotations.Containers] = "proxy"
	shared.Create(t, deployment(ns, "kong", own))
	made := waitForPod(t, ns, "kong", func(pod *corev1.Pod) error {
		if pod.Annotations[annotations.Containers] != "proxy" {
			return errors.New("the annotation was not propagated")
		}
		return nil
	})
	if err := checkInjected(made, "dao-test", "proxy"); err != nil {
		t.Error(err)
	}
}

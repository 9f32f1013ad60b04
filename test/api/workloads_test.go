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

// kongContainers are those of the chart's pods that run Kong.
var kongContainers = []string{"clear-stale-pid", "wait-for-db", "proxy"}

// gateway is a pod template like that of Kong's chart, without our annotations.
func gateway(app string) corev1.PodTemplateSpec {
	kong := []corev1.EnvVar{{Name: "KONG_DATABASE", Value: "postgres"}, {Name: "KONG_LUA_PACKAGE_PATH", Value: "/opt/?.lua;/opt/?/init.lua;;"}}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{
				{Name: "clear-stale-pid", Image: "kong:3.9", Command: []string{"rm", "-vrf", "$KONG_PREFIX/pids"}, Env: kong},
				{Name: "wait-for-db", Image: "kong:3.9", Env: kong},
			},
			Containers: []corev1.Container{
				{Name: "ingress-controller", Image: "kong/kubernetes-ingress-controller:3.5", Env: []corev1.EnvVar{{Name: "CONTROLLER_KONG_ADMIN_URL", Value: "https://localhost:8444"}}},
				{Name: "proxy", Image: "kong:3.9", Env: kong},
			},
		},
	}
}

// deployment is one of a gateway, with annotations of its own.
func deployment(namespace, app string, own map[string]string) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app, Annotations: own},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}},
			Template: gateway(app),
		},
	}
}

func asking(plugins string) map[string]string { return map[string]string{annotations.Plugins: plugins} }

// annotated is a gateway whose template itself asks.
func annotated(app, plugins string) corev1.PodTemplateSpec {
	template := gateway(app)
	template.Annotations = asking(plugins)
	return template
}

// node makes the one node that there is: DaemonSets make a pod for each.
var node = sync.OnceValue(func() error {
	made := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}}
	return webhook.Admin.Create(context.Background(), made)
})

// TestPodsOfEveryWorkload proves that whatever makes the pods, those that ask
// have the plugin in every container that runs Kong (K19), and in no other.
func TestPodsOfEveryWorkload(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	if err := node(); err != nil {
		t.Fatal(err)
	}
	own := func(app string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: ns, Name: app, Annotations: asking("dao-test")}
	}
	bare := func(app string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: ns, Name: app} }
	selects := func(app string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	}
	// The node is not ready, for no kubelet is there.
	everywhere := gateway("daemonset")
	everywhere.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	once := annotated("job", "dao-test")
	once.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	alone := annotated("pod", "dao-test")
	alone.Namespace, alone.Name = ns, "pod"
	for app, object := range map[string]client.Object{
		"deployment":  deployment(ns, "deployment", asking("dao-test")),
		"statefulset": &appsv1.StatefulSet{ObjectMeta: own("statefulset"), Spec: appsv1.StatefulSetSpec{Selector: selects("statefulset"), Template: gateway("statefulset")}},
		"daemonset":   &appsv1.DaemonSet{ObjectMeta: own("daemonset"), Spec: appsv1.DaemonSetSpec{Selector: selects("daemonset"), Template: everywhere}},
		"replicaset":  &appsv1.ReplicaSet{ObjectMeta: bare("replicaset"), Spec: appsv1.ReplicaSetSpec{Selector: selects("replicaset"), Template: annotated("replicaset", "dao-test")}},
		"job":         &batchv1.Job{ObjectMeta: bare("job"), Spec: batchv1.JobSpec{Template: once}},
		"pod":         &corev1.Pod{ObjectMeta: alone.ObjectMeta, Spec: alone.Spec},
	} {
		t.Run(app, func(t *testing.T) {
			create(t, object)
			made := waitForPod(t, ns, app, func(*corev1.Pod) error { return nil })
			if err := checkInjected(made, "dao-test", kongContainers...); err != nil {
				t.Error(err)
			}
			wantText(t, made.Annotations[annotations.InjectionRecord], `"plugin":"dao-test"`, `"sources":["plugin-dao-test"]`)
		})
	}
}

// TestAWorkloadWithoutTemplateMetadata proves that our conditions do not hide
// what the API server itself has to say.
func TestAWorkloadWithoutTemplateMetadata(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	const manifest = `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "kong"%s},
		"spec": {"selector": {"matchLabels": {"app": "kong"}}, "template": {"spec": {"containers": [{"name": "proxy", "image": "kong:3.9"}]}}}}`
	for _, own := range []string{``, `, "annotations": {}`, `, "annotations": {"kongdao.io/plugins": "dao-test"}`} {
		seen := kubectl(t, ns, strings.Replace(manifest, "%s", own, 1), "create", "-f", "-")
		if !seen.failed {
			t.Fatal("created")
		}
		wantText(t, seen.errs, "`selector` does not match template `labels`")
	}
}

// TestContainersAreCarried proves that the second annotation goes the same way
// as the first.
func TestContainersAreCarried(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	own := asking("dao-test")
	own[annotations.Containers] = "proxy"
	create(t, deployment(ns, "kong", own))
	made := waitForPod(t, ns, "kong", func(pod *corev1.Pod) error {
		if pod.Annotations[annotations.Containers] != "proxy" {
			return errors.New("not carried")
		}
		return nil
	})
	if err := checkInjected(made, "dao-test", "proxy"); err != nil {
		t.Error(err)
	}
}

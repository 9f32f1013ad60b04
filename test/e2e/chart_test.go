//go:build e2e

package e2e

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/fixtures"
)

// testChartWithSidecars goes from the annotation to a row in the table, with the pods of Kong's chart and its value
// deployment.sidecarContainers. The chart places these containers before Kong. Both have variables KONG_…
func testChartWithSidecars(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	pod, err := fixtures.ChartPod(s.name, fixtures.WithoutPlugin)
	if err != nil {
		t.Fatal(err)
	}
	pod.Labels["app"] = "kong"
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			useDatabase(&containers[i], d.host)
		}
	}
	sidecar := func(name, variable, value string) corev1.Container {
		return corev1.Container{
			Name: name, Image: postgresImage, ImagePullPolicy: corev1.PullIfNotPresent, Command: []string{"sleep", "infinity"},
			Env: []corev1.EnvVar{{Name: variable, Value: value}}, SecurityContext: restricted(),
		}
	}
	pod.Spec.Containers = slices.Concat([]corev1.Container{
		sidecar("exporter", "KONG_ADMIN_URL", "http://127.0.0.1:8001"), sidecar("backup", "KONG_PG_HOST", d.host),
	}, pod.Spec.Containers)
	port := func(name string, number int32) corev1.ServicePort {
		return corev1.ServicePort{Name: name, Port: number}
	}
	selector := map[string]string{"app": "kong"}
	s.apply(manifests(t,
		&corev1.Service{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
			ObjectMeta: metav1.ObjectMeta{Name: "kong"},
			Spec: corev1.ServiceSpec{
				Selector: selector, Ports: []corev1.ServicePort{port("proxy", 8000), port("admin", 8001)},
			},
		},
		&appsv1.Deployment{
			TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
			ObjectMeta: metav1.ObjectMeta{Name: "kong"},
			Spec: appsv1.DeploymentSpec{
				Selector: &metav1.LabelSelector{MatchLabels: selector},
				Template: corev1.PodTemplateSpec{
					ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations}, Spec: pod.Spec,
				},
			},
		}))
	g := gateway{d, "kong"}
	migration := s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	image := s.run("", "get", "jobs", "-l", annotations.Migration+"="+migration.Name, "-o",
		"jsonpath={.items[*].spec.template.spec.containers[*].image}")
	if image != kongImage {
		t.Errorf("the Job runs the images %q, want %q", image, kongImage)
	}
	g.waitReady()
	g.configure()
	eventually(t, func() error { return g.insert(t.Context(), "from-the-chart") })
	if row := d.mustSQL(`SELECT mykey FROM my_plugin_table`); row != "from-the-chart" {
		t.Errorf("the table has the rows %q", row)
	}
}

// useDatabase changes a container of Kong's chart to the images and the database of a test.
func useDatabase(container *corev1.Container, host string) {
	container.Image, container.ImagePullPolicy = kongImage, corev1.PullIfNotPresent
	variables := []corev1.EnvVar{
		{Name: "KONG_PG_HOST", Value: host},
		{Name: "KONG_PG_USER", Value: "kong"},
		{Name: "KONG_PG_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "postgres"}, Key: "password",
		}}},
		{Name: "KONG_ADMIN_LISTEN", Value: "0.0.0.0:8001"},
		{Name: "KONG_PROXY_LISTEN", Value: "0.0.0.0:8000"},
		{Name: "KONG_STATUS_LISTEN", Value: "0.0.0.0:8100"},
	}
	container.Env = append(slices.DeleteFunc(container.Env, func(variable corev1.EnvVar) bool {
		return slices.ContainsFunc(variables, func(own corev1.EnvVar) bool { return own.Name == variable.Name })
	}), variables...)
}

//go:build e2e

package e2e

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/fixtures"
)

// root is where containers are to see the plugin.
const root = annotations.PluginsFolder + "/" + fixtures.Plugin

// seeNow prints what a container sees; seeAtStart is the init container's, and
// keeps it for the main one.
const (
	seeNow     = "tar -C " + root + " -chf - ."
	seeAtStart = seeNow + " >/seen/init.tar"
)

// lookOnAndOn is the main container's. It looks for every file of the plugin,
// some twenty times a second, and writes to /seen/looks how often it has, and
// to /seen/few each look that found too few. A look that finds too few is
// repeated once: kubelet removes the old files as soon as it has put the new
// ones in place, and whoever is just on the way to one misses it.
const lookOnAndOn = `
trap 'exit 0' TERM
look() { found=0; for file in $FILES; do [ -s "` + root + `/$file" ] && found=$((found + 1)); done; }
set -- $FILES
looks=0
while :; do
  look
  [ $found = $# ] || look
  [ $found = $# ] || echo "look $looks: $found of $# files" >>/seen/few
  looks=$((looks + 1))
  echo $looks >/seen/looks.part && mv /seen/looks.part /seen/looks
  sleep 0.05 & wait $!
done`

// kong is a Deployment that asks for the plugin, like that of Kong's chart: as
// user 1000, with a read-only root filesystem, and with Kong in its init
// container too. What runs in place of Kong needs of the image a shell and tar.
func kong(t *testing.T, with ...func(*corev1.Container)) *appsv1.Deployment {
	t.Helper()
	container := func(name, script string) corev1.Container {
		made := corev1.Container{
			Name: name, Image: "kong:3.9", Command: []string{"/bin/sh", "-ec", script},
			Env:             []corev1.EnvVar{{Name: "FILES", Value: strings.Join(sortedPaths(pluginFiles(t)), " ")}},
			VolumeMounts:    []corev1.VolumeMount{{Name: "seen", MountPath: "/seen"}},
			SecurityContext: restricted(),
		}
		for _, change := range with {
			change(&made)
		}
		return made
	}
	labels := map[string]string{"app": "kong"}
	return &appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "kong", Annotations: map[string]string{annotations.Plugins: fixtures.Plugin},
		},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					InitContainers: []corev1.Container{container("init", seeAtStart)},
					Containers:     []corev1.Container{container("proxy", lookOnAndOn)},
					Volumes:        []corev1.Volume{{Name: "seen", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
				},
			},
		},
	}
}

// restricted is what the strictest of the Pod Security Standards asks for, and
// a read-only root filesystem.
func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
		RunAsNonRoot: new(true), RunAsUser: new(int64(1000)), RunAsGroup: new(int64(1000)),
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// manifests are objects as YAML documents.
func manifests(t *testing.T, objects ...any) string {
	t.Helper()
	documents := make([]string, len(objects))
	for i, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		documents[i] = string(text)
	}
	return strings.Join(documents, "---\n")
}

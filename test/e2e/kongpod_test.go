//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/fixtures"
)

// root is the directory of the plugin in the containers.
const root = annotations.PluginsFolder + "/" + fixtures.Plugin

// printFiles prints an archive of the plugin's directory. saveFiles is the script of the init container, which saves
// the archive for the main container.
const (
	printFiles = "tar -C " + root + " -chf - ."
	saveFiles  = printFiles + " >/seen/init.tar"
)

// checkFiles is the script of the main container. It checks all files of the plugin about twenty times a second. It
// writes the number of checks to /seen/checks, and each check with missing files to /seen/missing. It repeats a check
// with missing files once, because the kubelet removes the old files right after it has switched to the new ones.
const checkFiles = `
trap 'exit 0' TERM
check() { found=0; for file in $FILES; do [ -s "` + root + `/$file" ] && found=$((found + 1)); done; }
set -- $FILES
checks=0
while :; do
  check
  [ $found = $# ] || check
  [ $found = $# ] || echo "check $checks: $found of $# files" >>/seen/missing
  checks=$((checks + 1))
  echo $checks >/seen/checks.part && mv /seen/checks.part /seen/checks
  sleep 0.05 & wait $!
done`

// kong returns a Deployment that requests the plugin, like the Deployment of Kong's chart: with user 1000, a read-only
// root filesystem, and Kong also in an init container. Its scripts need only a shell and tar.
func kong(t *testing.T, with ...func(*corev1.Container)) *appsv1.Deployment {
	t.Helper()
	container := func(name, script string) corev1.Container {
		made := corev1.Container{
			Name: name, Image: "kong:3.9", Command: []string{"/bin/sh", "-ec", script},
			Env: []corev1.EnvVar{
				{Name: "FILES", Value: strings.Join(slices.Sorted(maps.Keys(pluginFiles(t))), " ")},
			},
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
					InitContainers: []corev1.Container{container("init", saveFiles)},
					Containers:     []corev1.Container{container("proxy", checkFiles)},
					Volumes: []corev1.Volume{
						{Name: "seen", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
					},
				},
			},
		},
	}
}

// restricted returns a security context for the Pod Security Standard "restricted", with a read-only root filesystem.
func restricted() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
		RunAsNonRoot: new(true), RunAsUser: new(int64(1000)), RunAsGroup: new(int64(1000)),
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// manifests returns objects as YAML documents.
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

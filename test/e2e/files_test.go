//go:build e2e

package e2e

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/fixtures"
)

// TestKubectlInject covers what "kubectl kongdao inject" makes of manifests,
// where no webhook is installed.
func TestKubectlInject(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	s.apply(s.inject(strings.TrimSuffix(s.pack(fixtures.PluginFolder()), "\n") + "\n---\n" + manifests(t, kong(t))))
	s.rolledOut()
	s.wantSubPaths(fixtures.Plugin + " " + fixtures.Plugin) // of the init container and the main one
	s.wantFiles(pluginFiles(t))
}

// immutableSources covers migrations mounted by subPath, from the volume that
// all plugins share.
func immutableSources(t *testing.T) {
	s := newSpace(t)
	s.apply(s.pack(fixtures.PluginFolder()))
	s.annotated(kong(t))
	s.wantSubPaths(fixtures.Plugin + " " + fixtures.Plugin)
	s.wantFiles(pluginFiles(t))
}

// mutableSources covers migrations as a whole volume: running pods see a
// change, and at no time fewer files than the plugin has (V1, V2).
func mutableSources(t *testing.T) {
	s := newSpace(t)
	s.apply(s.pack(fixtures.PluginFolder(), "--mutable"))
	s.annotated(kong(t))
	s.wantSubPaths("")
	s.wantFiles(pluginFiles(t))

	changed := pluginFiles(t)
	folder := filepath.Join(t.TempDir(), fixtures.Plugin)
	for name, content := range changed {
		changed[name] = content + "-- changed\n"
		write(t, filepath.Join(folder, name), changed[name])
	}
	before := s.looks()
	s.apply(s.pack(folder, "--mutable"))
	eventually(t, func() error {
		s.wantNoFewLook()
		return s.sees(seeNow, changed)
	})
	// So long that a folder which had been emptied would be noticed.
	eventually(t, func() error {
		if after := s.looks(); after < before+100 {
			return fmt.Errorf("the container looked %d times only since the change", after-before)
		}
		return nil
	})
	s.wantNoFewLook()
}

// besideTheChartsMount covers what people have today: the values of Kong's
// chart mount a ConfigMap of their own at the plugin's folder, which cannot
// hold migrations/ (K22). Only that is added, as a mount inside the other (V3).
func besideTheChartsMount(t *testing.T) {
	const volume = "kong-plugin-dao-test"
	s := newSpace(t)
	flat := &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: volume}, Data: map[string]string{},
	}
	for name, content := range pluginFiles(t) {
		if !strings.Contains(name, "/") {
			flat.Data[name] = content
		}
	}
	workload := kong(t, func(container *corev1.Container) {
		container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: root, ReadOnly: true})
	})
	workload.Spec.Template.Spec.Volumes = append(workload.Spec.Template.Spec.Volumes, corev1.Volume{
		Name: volume,
		VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: volume},
		}},
	})
	s.apply(s.pack(fixtures.PluginFolder()))
	s.apply(manifests(t, flat))
	s.annotated(workload)
	s.wantFiles(pluginFiles(t))
}

// annotated has a Deployment run as ever, then asks by one annotation.
func (s space) annotated(workload *appsv1.Deployment) {
	s.t.Helper()
	workload.Annotations = nil
	// Without the plugin there is nothing to see yet.
	workload.Spec.Template.Spec.InitContainers[0].Command[2] = "[ -d " + root + "/migrations ] || exit 0; " + seeAtStart
	s.apply(manifests(s.t, workload))
	s.rolledOut()
	s.run("", "annotate", "deployment", "kong", annotations.Plugins+"="+fixtures.Plugin)
	s.rolledOut()
}

func (s space) rolledOut() {
	s.t.Helper()
	s.rolled("kong")
}

// rolled is rolledOut for a Deployment of another name.
func (s space) rolled(name string) {
	s.t.Helper()
	s.run("", "rollout", "status", "deployment/"+name, "--timeout="+patience.String())
}

// exec runs a shell command in the main container.
func (s space) exec(command string) (string, error) { return s.execIn("deployment/kong", command) }

// execIn is exec for what has another name: "deployment/other", "pod/kong".
func (s space) execIn(workload, command string) (string, error) {
	return s.try("", "exec", workload, "--container=proxy", "--", "/bin/sh", "-c", command)
}

// wantFiles checks that both containers see these files, and no others.
func (s space) wantFiles(want map[string]string) {
	s.t.Helper()
	for container, command := range map[string]string{"proxy": seeNow, "init": "cat /seen/init.tar"} {
		if err := s.sees(command, want); err != nil {
			s.t.Errorf("container %q: %v", container, err)
		}
	}
	s.wantNoFewLook()
}

// sees is nil when the archive that a command prints has these files, and no others.
func (s space) sees(command string, want map[string]string) error {
	archive, err := s.exec(command)
	if err != nil {
		return err
	}
	got, err := unpack(archive)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("it does not see the plugin as it is (-want +got):\n%s", diff)
	}
	return nil
}

// looks is how often the main container has looked for all files.
func (s space) looks() int {
	s.t.Helper()
	out, err := s.exec("cat /seen/looks")
	if err != nil {
		s.t.Fatal(err)
	}
	count, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		s.t.Fatal(err)
	}
	return count
}

func (s space) wantNoFewLook() {
	s.t.Helper()
	few, err := s.exec("if [ -e /seen/few ]; then cat /seen/few; fi")
	if err != nil {
		s.t.Fatal(err)
	}
	if few != "" {
		s.t.Fatalf("files were missing for a while:\n%.1000s", few)
	}
}

// wantSubPaths checks how the pod's mounts are made.
func (s space) wantSubPaths(want string) {
	s.t.Helper()
	if got := s.run("", "get", "pods", "--output=jsonpath={.items[*].spec['initContainers','containers'][*].volumeMounts[*].subPath}"); got != want {
		s.t.Errorf("the subPaths of the pod's mounts are %q, want %q", got, want)
	}
}

// unpack yields an archive's files by path, without what kubelet keeps beside
// them: ..data, and the folder that it leads to.
func unpack(archive string) (map[string]string, error) {
	files := map[string]string{}
	for reader := tar.NewReader(strings.NewReader(archive)); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		name := path.Clean(header.Name)
		kubelets := slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return strings.HasPrefix(part, "..") })
		if header.Typeflag == tar.TypeDir || kubelets {
			continue
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return nil, err
		}
		files[name] = string(content)
	}
}

func sortedPaths(files map[string]string) []string { return slices.Sorted(maps.Keys(files)) }

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

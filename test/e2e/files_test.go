//go:build e2e

package e2e

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
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

// TestKubectlInject applies the output of "kubectl kongdao inject" without an installed webhook.
func TestKubectlInject(t *testing.T) {
	t.Parallel()
	s := newSpace(t)
	s.apply(s.inject(strings.TrimSuffix(s.pack(fixtures.PluginFolder()), "\n") + "\n---\n" + manifests(t, kong(t))))
	s.waitRollout("kong")
	s.wantSubPaths(fixtures.Plugin + " " + fixtures.Plugin) // the init container and the main container
	s.wantFiles(pluginFiles(t))
}

// testImmutableSources checks that migrations from immutable sources are mounted by subPath from the shared volume.
func testImmutableSources(t *testing.T) {
	s := newSpace(t)
	s.apply(s.pack(fixtures.PluginFolder()))
	s.startAndAnnotate(kong(t))
	s.wantSubPaths(fixtures.Plugin + " " + fixtures.Plugin)
	s.wantFiles(pluginFiles(t))
}

// testMutableSources checks that migrations from mutable sources are a whole volume. Running pods see a change, and no
// file is missing at any time. A subPath mount would become empty after a change (fact V1).
func testMutableSources(t *testing.T) {
	s := newSpace(t)
	s.apply(s.pack(fixtures.PluginFolder(), "--mutable"))
	s.startAndAnnotate(kong(t))
	s.wantSubPaths("")
	s.wantFiles(pluginFiles(t))

	changed := pluginFiles(t)
	folder := filepath.Join(t.TempDir(), fixtures.Plugin)
	for name, content := range changed {
		changed[name] = content + "-- changed\n"
		write(t, filepath.Join(folder, name), changed[name])
	}
	before := s.checks()
	s.apply(s.pack(folder, "--mutable"))
	eventually(t, func() error {
		s.wantNoMissingFiles()
		return s.checkArchive(printFiles, changed)
	})
	// After 100 further checks, an emptied directory would be detected.
	eventually(t, func() error {
		if after := s.checks(); after < before+100 {
			return fmt.Errorf("the container made only %d checks since the change", after-before)
		}
		return nil
	})
	s.wantNoMissingFiles()
}

// testChartMount uses a Deployment in which Kong's chart already mounts a ConfigMap at the plugin's directory. kongdao
// adds only the migrations, as a nested mount inside the chart's mount (fact V3).
func testChartMount(t *testing.T) {
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
		container.VolumeMounts = append(container.VolumeMounts,
			corev1.VolumeMount{Name: volume, MountPath: root, ReadOnly: true})
	})
	workload.Spec.Template.Spec.Volumes = append(workload.Spec.Template.Spec.Volumes, corev1.Volume{
		Name: volume,
		VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: volume},
		}},
	})
	s.apply(s.pack(fixtures.PluginFolder()))
	s.apply(manifests(t, flat))
	s.startAndAnnotate(workload)
	s.wantFiles(pluginFiles(t))
}

// startAndAnnotate starts a Deployment without the plugin. Then it sets the annotation and waits for the rollout.
func (s space) startAndAnnotate(workload *appsv1.Deployment) {
	s.t.Helper()
	workload.Annotations = nil
	// The first pod has no plugin directory.
	workload.Spec.Template.Spec.InitContainers[0].Command[2] = "[ -d " + root + "/migrations ] || exit 0; " + saveFiles
	s.apply(manifests(s.t, workload))
	s.waitRollout("kong")
	s.run("", "annotate", "deployment", "kong", annotations.Plugins+"="+fixtures.Plugin)
	s.waitRollout("kong")
}

// waitRollout waits until the rollout of a Deployment is complete.
func (s space) waitRollout(name string) {
	s.t.Helper()
	s.run("", "rollout", "status", "deployment/"+name, "--timeout="+waitTimeout.String())
}

// exec runs a shell command in the main container of the Deployment "kong".
func (s space) exec(command string) (string, error) { return s.execIn("deployment/kong", command) }

// execIn is exec for another workload: "deployment/other", "pod/kong".
func (s space) execIn(workload, command string) (string, error) {
	return s.try("", "exec", workload, "--container=proxy", "--", "/bin/sh", "-c", command)
}

// wantFiles checks that both containers see exactly these files.
func (s space) wantFiles(want map[string]string) {
	s.t.Helper()
	for container, command := range map[string]string{"proxy": printFiles, "init": "cat /seen/init.tar"} {
		if err := s.checkArchive(command, want); err != nil {
			s.t.Errorf("container %q: %v", container, err)
		}
	}
	s.wantNoMissingFiles()
}

// checkArchive returns nil if a command prints an archive with exactly these files.
func (s space) checkArchive(command string, want map[string]string) error {
	archive, err := s.exec(command)
	if err != nil {
		return err
	}
	got, err := unpack(archive)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("the container sees other files (-want +got):\n%s", diff)
	}
	return nil
}

// checks returns how often the main container has checked all files.
func (s space) checks() int {
	s.t.Helper()
	out, err := s.exec("cat /seen/checks")
	if err != nil {
		s.t.Fatal(err)
	}
	count, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		s.t.Fatal(err)
	}
	return count
}

// wantNoMissingFiles fails the test if the main container missed a file in any check.
func (s space) wantNoMissingFiles() {
	s.t.Helper()
	missing, err := s.exec("if [ -e /seen/missing ]; then cat /seen/missing; fi")
	if err != nil {
		s.t.Fatal(err)
	}
	if missing != "" {
		s.t.Fatalf("files were missing:\n%.1000s", missing)
	}
}

// wantSubPaths checks the subPaths of the pod's mounts.
func (s space) wantSubPaths(want string) {
	s.t.Helper()
	const path = "{.items[*].spec['initContainers','containers'][*].volumeMounts[*].subPath}"
	if got := s.run("", "get", "pods", "--output=jsonpath="+path); got != want {
		s.t.Errorf("the subPaths of the pod's mounts are %q; want %q", got, want)
	}
}

// unpack returns the files of an archive, as contents by path. It skips the kubelet's own entries: ..data and the
// directory to which it points.
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
		isKubelets := slices.ContainsFunc(strings.Split(name, "/"), func(element string) bool {
			return strings.HasPrefix(element, "..")
		})
		if header.Typeflag == tar.TypeDir || isKubelets {
			continue
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return nil, err
		}
		files[name] = string(content)
	}
}

// write writes a file and creates its directory.
func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

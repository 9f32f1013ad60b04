//go:build e2e

package e2e

import (
	"errors"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// testVerify lets Kong load plugins from folders and from the cluster, in a namespace with the Pod Security Standard
// "restricted". Nothing remains of it. It also checks the releases in the namespace.
func testVerify(t *testing.T) {
	s := newSpace(t)
	s.publish(release100(t))
	broken := maps.Clone(release110(t))
	delete(broken, "schema.lua")
	folder := func(release files) string {
		folder := filepath.Join(t.TempDir(), "dao-test")
		for name, content := range release {
			write(t, filepath.Join(folder, name), content)
		}
		return folder
	}
	for name, test := range map[string]struct {
		argument, image string
		code            int
		want            string
	}{
		"folder":        {folder(release110(t)), kongImage, 0, "Kong loads the plugin"},
		"release":       {"dao-test", kongImage, 0, "Kong loads the plugin"},
		"broken folder": {folder(broken), kongImage, 1, "no configuration schema found for plugin: dao-test"},
		"no image":      {"dao-test@1.0.0", kongImage + "-typo", 2, "no result after 20s: "},
		"no release":    {"dao-test@9", kongImage, 2, `namespace "` + s.name + `" has version "1.0.0"`},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs, err := kubectlOutput(t.Context(), "", "kongdao", "verify", test.argument, "--namespace", s.name,
				"--image", test.image, "--timeout", map[bool]string{true: "20s", false: "2m"}[test.code == 2])
			code := 0
			if exited, isExit := errors.AsType[*exec.ExitError](err); isExit {
				code = exited.ExitCode()
			}
			if code != test.code || !strings.Contains(out+errs, test.want) {
				t.Errorf("exit code %d, want %d; got %q %q, want %q", code, test.code, out, errs, test.want)
			}
		})
	}
	if out := s.kongdao("", "lint", "--namespace", s.name); out != "1 release checked: no findings\n" {
		t.Errorf("lint prints %q", out)
	}
	eventually(t, func() error {
		kinds := "jobs,pods,networkpolicies,configmaps"
		left := s.run("", "get", kinds, "-l", "app.kubernetes.io/component=verify", "-o", "name")
		if left != "" {
			return errors.New("left over: " + left)
		}
		return nil
	})
}

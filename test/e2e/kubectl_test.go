//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kongdao.io/kongdao/test/fixtures"
)

// waitTimeout limits each wait. A kubelet needs up to a minute to update a changed ConfigMap in a pod (fact V2).
const waitTimeout = 3 * time.Minute

// eventually repeats check until it returns nil.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(waitTimeout)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no success within %v: %v", waitTimeout, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// space is a namespace of a test.
type space struct {
	t    *testing.T
	name string
}

// newSpace creates a namespace with the Pod Security Standard "restricted". It deletes the namespace after the test.
func newSpace(t *testing.T) space {
	t.Helper()
	s := space{t, fmt.Sprintf("e2e-%d", time.Now().UnixNano())}
	s.apply(restrictedNamespace(s.name))
	t.Cleanup(func() {
		if t.Failed() {
			s.explain()
		}
		// The context of the test is already canceled.
		if out, err := kubectl(context.Background(), "", "delete", "namespace", s.name, "--wait=false"); err != nil {
			t.Errorf("%v%s", err, out)
		}
	})
	// Pods cannot be created before the service account exists (fact P3).
	eventually(t, func() error {
		_, err := s.try("", "get", "serviceaccount", "default")
		return err
	})
	return s
}

// restrictedNamespace returns the manifest of a namespace with the Pod Security Standard "restricted".
func restrictedNamespace(name string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {%s: restricted}}}`,
		name, "pod-security.kubernetes.io/enforce")
}

// explain logs the state of the pods after a failed test.
func (s space) explain() {
	for _, command := range []string{"describe pods", "logs --all-containers --prefix --selector app=kong"} {
		out, err := kubectl(context.Background(), "", append(strings.Fields(command), "--namespace", s.name)...)
		s.t.Logf("kubectl %s: %v\n%s", command, err, out)
	}
}

// try runs kubectl in the namespace and returns its standard output.
func (s space) try(stdin string, arguments ...string) (string, error) {
	return kubectl(s.t.Context(), stdin, append([]string{"--namespace", s.name}, arguments...)...)
}

// run is try, and fails the test on an error.
func (s space) run(stdin string, arguments ...string) string {
	s.t.Helper()
	out, err := s.try(stdin, arguments...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// apply applies manifests.
func (s space) apply(manifests string) {
	s.t.Helper()
	s.run(manifests, "apply", "-f", "-")
}

// pack creates ConfigMaps from a plugin's directory with "kubectl kongdao pack".
func (s space) pack(folder string, flags ...string) string {
	s.t.Helper()
	return s.kongdao("", append([]string{"pack", folder, "--namespace", s.name}, flags...)...)
}

// inject injects the plugins into manifests with "kubectl kongdao inject".
func (s space) inject(manifests string) string {
	s.t.Helper()
	return s.kongdao(manifests, "inject", "--filename", "-", "--namespace", s.name)
}

// kongdao runs the kubectl plugin. Its flags must follow its name.
func (s space) kongdao(stdin string, arguments ...string) string {
	s.t.Helper()
	out, err := kubectl(s.t.Context(), stdin, append([]string{"kongdao"}, arguments...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// kubectl runs kubectl as the administrator, without the user's own configuration. It returns the standard output.
func kubectl(ctx context.Context, stdin string, arguments ...string) (string, error) {
	out, _, err := kubectlOutput(ctx, stdin, arguments...)
	return out, err
}

// kubectlOutput is kubectl, and also returns the standard error, which has the warnings of the API server.
func kubectlOutput(ctx context.Context, stdin string, arguments ...string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, "kubectl", arguments...)
	command.Env = []string{"KUBECONFIG=" + kubeconfig, "HOME=" + homeFolder, "PATH=" + os.Getenv("PATH")}
	command.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		return out.String(), errs.String(), fmt.Errorf("kubectl %s: %w: %s",
			strings.Join(arguments, " "), errors.Join(err, ctx.Err()), errs.String())
	}
	return out.String(), errs.String(), nil
}

// pluginFiles returns the files of the fixture, as contents by path.
func pluginFiles(t *testing.T) map[string]string {
	t.Helper()
	files, err := fixtures.PluginFiles()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for path, content := range files {
		texts[path] = string(content)
	}
	return texts
}

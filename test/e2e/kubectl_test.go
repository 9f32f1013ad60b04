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

// patience is how long anything is waited for: a kubelet of a cluster of one's
// own may take a minute until it notices a changed ConfigMap (V2).
const patience = 3 * time.Minute

// eventually asks until check is content.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %v", patience, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// space is a namespace, in which commands are run.
type space struct {
	t    *testing.T
	name string
}

// newSpace makes a namespace whose pods have to hold the strictest of the
// Pod Security Standards, and removes it after the test.
func newSpace(t *testing.T) space {
	t.Helper()
	s := space{t, fmt.Sprintf("e2e-%d", time.Now().UnixNano())}
	s.apply(fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted}}}`, s.name))
	t.Cleanup(func() {
		if t.Failed() {
			s.explain()
		}
		// The test's own context has ended by now.
		if out, err := kubectl(context.Background(), "", "delete", "namespace", s.name, "--wait=false"); err != nil {
			t.Errorf("%v%s", err, out)
		}
	})
	eventually(t, func() error { // P3
		_, err := s.try("", "get", "serviceaccount", "default")
		return err
	})
	return s
}

// explain logs what there is to know about the pods of a test that failed.
func (s space) explain() {
	for _, command := range []string{"describe pods", "logs --all-containers --prefix --selector app=kong"} {
		out, err := kubectl(context.Background(), "", append(strings.Fields(command), "--namespace", s.name)...)
		s.t.Logf("kubectl %s: %v\n%s", command, err, out)
	}
}

// try runs kubectl in the namespace and returns what it prints.
func (s space) try(stdin string, arguments ...string) (string, error) {
	return kubectl(s.t.Context(), stdin, append([]string{"--namespace", s.name}, arguments...)...)
}

// run is try that has to succeed.
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

// pack makes ConfigMaps of a plugin's folder, as a user does.
func (s space) pack(folder string, flags ...string) string {
	s.t.Helper()
	return s.kongdao("", append([]string{"pack", folder, "--namespace", s.name}, flags...)...)
}

// inject gives the pods of manifests their plugins, as a user does.
func (s space) inject(manifests string) string {
	s.t.Helper()
	return s.kongdao(manifests, "inject", "--filename", "-", "--namespace", s.name)
}

// kongdao runs the kubectl plugin, which takes its flags behind its name alone.
func (s space) kongdao(stdin string, arguments ...string) string {
	s.t.Helper()
	out, err := kubectl(s.t.Context(), stdin, append([]string{"kongdao"}, arguments...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// kubectl runs the real one, as the administrator, with nothing of the user's
// own configuration.
func kubectl(ctx context.Context, stdin string, arguments ...string) (string, error) {
	out, _, err := kubectlSays(ctx, stdin, arguments...)
	return out, err
}

// kubectlSays is kubectl that yields what it says beside what it prints: the API
// server's warnings.
func kubectlSays(ctx context.Context, stdin string, arguments ...string) (printed, said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	command := exec.CommandContext(ctx, "kubectl", arguments...)
	command.Env = []string{"KUBECONFIG=" + kubeconfig, "HOME=" + home, "PATH=" + os.Getenv("PATH")}
	command.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		return "", errs.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), errors.Join(err, ctx.Err()), errs.String())
	}
	return out.String(), errs.String(), nil
}

// pluginFiles are the fixture's files, contents by path.
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

//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/test/kong/contract"
)

// testKongContract checks that the image of Kong, or of its test double, behaves as kongdao expects. It runs in
// parallel with other tests, because it takes long and does not use kongdao.
func testKongContract(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.apply(fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: kong}
spec:
  terminationGracePeriodSeconds: 1
  securityContext: {runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: kong
      image: %s
      imagePullPolicy: IfNotPresent
      command: [sleep, infinity]
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: opt, mountPath: /opt}, {name: tmp, mountPath: /tmp}]
  volumes: [{name: opt, emptyDir: {}}, {name: tmp, emptyDir: {}}]
`, kongImage))
	s.run("", "wait", "pod/kong", "--for=condition=Ready", "--timeout="+waitTimeout.String())
	contract.Run(t, podRunner{d}, migrate.Script())
}

// podRunner runs the commands of the contract in an idle pod.
type podRunner struct{ database }

// Reset implements contract.Runner.
func (p podRunner) Reset(ctx context.Context) error {
	// This kills all processes except the first one.
	_, _ = p.exec(ctx, nil, "kong", "sh", "-c", "kill -9 -1")
	if _, err := p.exec(ctx, nil, "kong", "sh", "-c", "rm -rf /tmp/* /opt/*"); err != nil {
		return err
	}
	_, err := p.SQL(ctx, contract.ResetSQL)
	return err
}

// Exec implements contract.Runner.
func (p podRunner) Exec(
	ctx context.Context, files contract.Files, env map[string]string, command ...string,
) (contract.Result, error) {
	process, err := p.Background(ctx, files, env, command...)
	if err != nil {
		return contract.Result{}, err
	}
	return process.Wait(ctx)
}

// Background implements contract.Runner.
func (p podRunner) Background(
	ctx context.Context, files contract.Files, env map[string]string, command ...string,
) (contract.Process, error) {
	variables := map[string]string{
		"KONG_PREFIX": "/tmp/prefix", "KONG_PG_HOST": p.host, "KONG_PG_USER": "kong", "KONG_PG_PASSWORD": password,
		"KONG_LUA_PACKAGE_PATH": "/opt/?.lua;/opt/?/init.lua;;",
	}
	maps.Copy(variables, env)
	if err := p.prepare(ctx, files, variables["KONG_PREFIX"]); err != nil {
		return nil, err
	}
	words := []string{"exec", "kong", "--", "env"}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		words = append(words, name+"="+variables[name])
	}
	started, err := contract.StartCommand(p.kubectl(context.WithoutCancel(ctx), nil, append(words, command...)...))
	if err != nil {
		return nil, err
	}
	return &podProcess{started, p}, nil
}

// prepare creates the prefix. It replaces the plugin's files, unless files is nil.
func (p podRunner) prepare(ctx context.Context, files contract.Files, prefix string) error {
	if files == nil {
		_, err := p.exec(ctx, nil, "kong", "mkdir", "-p", prefix)
		return err
	}
	archive, err := archiveOf(files)
	if err != nil {
		return err
	}
	_, err = p.exec(ctx, archive, "kong", "sh", "-c", `rm -rf /opt/kong && tar -x -C /opt && mkdir -p "$1"`, "sh", prefix)
	return err
}

// archiveOf returns the files as a tar archive.
func archiveOf(files contract.Files) (*bytes.Buffer, error) {
	archive := &bytes.Buffer{}
	writer := tar.NewWriter(archive)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))}
		if err := writer.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := writer.Write([]byte(files[name])); err != nil {
			return nil, err
		}
	}
	return archive, writer.Close()
}

// SQL implements contract.Runner.
func (p podRunner) SQL(ctx context.Context, text string) (string, error) {
	return p.exec(ctx, nil, "deployment/postgres", "env", "PGPASSWORD="+password,
		"psql", "-h", "127.0.0.1", "-U", "kong", "-d", "kong", "-At", "-v", "ON_ERROR_STOP=1", "-c", text)
}

// HTTP implements contract.Runner. It sends the request through the API server.
func (p podRunner) HTTP(ctx context.Context, request contract.Request) (status int, body string, err error) {
	url := fmt.Sprintf("%s/api/v1/namespaces/%s/pods/kong:%d/proxy%s", adminURL, p.name, request.Port, request.Path)
	return request.Send(ctx, adminHTTP, url)
}

// exec runs a command in a pod and returns its standard output.
func (p podRunner) exec(ctx context.Context, stdin io.Reader, pod string, command ...string) (string, error) {
	var out, errs bytes.Buffer
	words := []string{"exec"}
	if stdin != nil {
		words = append(words, "--stdin")
	}
	made := p.kubectl(ctx, stdin, append(append(words, pod, "--"), command...)...)
	made.Stdout, made.Stderr = &out, &errs
	if err := made.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, errs.String())
	}
	return out.String(), nil
}

func (p podRunner) kubectl(ctx context.Context, stdin io.Reader, arguments ...string) *exec.Cmd {
	made := exec.CommandContext(ctx, "kubectl", append([]string{"--namespace", p.name}, arguments...)...)
	made.Env = []string{"KUBECONFIG=" + kubeconfig, "HOME=" + homeFolder, "PATH=" + os.Getenv("PATH")}
	made.Stdin = stdin
	return made
}

// podProcess is a command that runs in the background in the pod.
type podProcess struct {
	*contract.Command
	runner podRunner
}

// Kill implements contract.Process. It kills all processes in the pod, because the command may have started others.
func (p *podProcess) Kill() error {
	_, _ = p.runner.exec(context.Background(), nil, "kong", "sh", "-c", "kill -9 -1")
	<-p.Done()
	return nil
}

// Wait implements contract.Process.
func (p *podProcess) Wait(ctx context.Context) (contract.Result, error) {
	result, err := p.Command.Wait(ctx)
	// kubectl adds this message to the output of the command.
	if at := strings.LastIndex(result.Stderr, "command terminated with exit code"); at >= 0 {
		result.Stderr = result.Stderr[:at]
	}
	return result, err
}

//go:build e2e && linux

package contract

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/test/wait"
)

// User IDs in the images.
const (
	kongUser     = 1000
	postgresUser = 999
)

func TestContract(t *testing.T) {
	runner, err := newLocalRunner(t)
	if err != nil {
		t.Fatal(err)
	}
	Run(t, runner, migrate.Script())
}

// localRunner runs the fake Kong with chroot in the root filesystems of the images. These are read-only except for
// /tmp, as in a pod.
type localRunner struct {
	kongRoot, postgresRoot, pluginsDir string
	background                         []*containerProcess
}

func newLocalRunner(t *testing.T) (*localRunner, error) {
	t.Helper()
	build := exec.Command("../build.sh", "--roots")
	build.Stderr = os.Stderr
	output, err := build.Output()
	if err != nil {
		return nil, fmt.Errorf("build the images: %w", err)
	}
	roots := strings.Fields(string(output))
	runner := &localRunner{pluginsDir: t.TempDir()}
	for i, root := range []*string{&runner.kongRoot, &runner.postgresRoot} {
		*root = filepath.Join(t.TempDir(), "root")
		t.Cleanup(func() { _ = syscall.Unmount(*root, syscall.MNT_DETACH) })
		if err := mountRoot(roots[i], *root); err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(runner.pluginsDir, 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mount(runner.pluginsDir, runner.kongRoot+"/opt", "", syscall.MS_BIND, ""); err != nil {
		return nil, fmt.Errorf("mount the plugins: %w", err)
	}
	return runner, runner.startPostgres(t)
}

// startPostgres starts PostgreSQL until the end of the test.
func (r *localRunner) startPostgres(t *testing.T) error {
	server := containerCommand(r.postgresRoot, postgresUser, map[string]string{
		"POSTGRES_USER": "kong", "POSTGRES_PASSWORD": "secret", "POSTGRES_DB": "kong", "PGDATA": "/tmp/data",
	}, "/usr/local/bin/postgres.sh")
	log, err := os.Create(filepath.Join(t.TempDir(), "postgres.log"))
	if err != nil {
		return err
	}
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	err = wait.Until(ctx, func(ctx context.Context) error {
		_, err := r.SQL(ctx, "select 1")
		return err
	})
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("wait for PostgreSQL: %w\n%s", err, text)
	}
	return nil
}

// Reset implements Runner.
func (r *localRunner) Reset(ctx context.Context) error {
	for _, process := range r.background {
		_ = process.Kill()
	}
	r.background = nil
	// Kong nodes may run in the background. In the PID namespace of this test, all processes of this user are Kong's.
	killAll := containerCommand(r.kongRoot, kongUser, nil, "sh", "-c", "kill -9 -1")
	_ = killAll.Run()
	prefixes, err := filepath.Glob(r.kongRoot + "/tmp/*")
	if err != nil {
		return err
	}
	for _, prefix := range prefixes {
		if err := os.RemoveAll(prefix); err != nil {
			return err
		}
	}
	if err := r.writeFiles(nil); err != nil {
		return err
	}
	_, err = r.SQL(ctx, ResetSQL)
	return err
}

// Exec implements Runner.
func (r *localRunner) Exec(
	ctx context.Context, files Files, env map[string]string, command ...string,
) (Result, error) {
	process, err := r.start(files, env, command...)
	if err != nil {
		return Result{}, err
	}
	return process.Wait(ctx)
}

// Background implements Runner.
func (r *localRunner) Background(
	_ context.Context, files Files, env map[string]string, command ...string,
) (Process, error) {
	process, err := r.start(files, env, command...)
	if err != nil {
		return nil, err
	}
	r.background = append(r.background, process)
	return process, nil
}

// start writes the plugin's files, creates the prefix and starts a command.
func (r *localRunner) start(files Files, env map[string]string, command ...string) (*containerProcess, error) {
	if files != nil {
		if err := r.writeFiles(files); err != nil {
			return nil, err
		}
	}
	variables := map[string]string{
		"KONG_PREFIX": "/tmp/prefix", "KONG_PG_HOST": "127.0.0.1", "KONG_PG_PASSWORD": "secret",
		"KONG_LUA_PACKAGE_PATH": "/opt/?.lua;/opt/?/init.lua;;",
	}
	maps.Copy(variables, env)
	if prefix := variables["KONG_PREFIX"]; strings.HasPrefix(prefix, "/tmp/") {
		if err := os.MkdirAll(r.kongRoot+prefix, 0o755); err != nil {
			return nil, err
		}
		if err := os.Chown(r.kongRoot+prefix, kongUser, kongUser); err != nil {
			return nil, err
		}
	}
	started, err := StartCommand(containerCommand(r.kongRoot, kongUser, variables, command...))
	if err != nil {
		return nil, err
	}
	return &containerProcess{started}, nil
}

// writeFiles replaces the plugin's files.
func (r *localRunner) writeFiles(files Files) error {
	if err := os.RemoveAll(r.pluginsDir + "/kong"); err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(r.pluginsDir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// SQL implements Runner.
func (r *localRunner) SQL(ctx context.Context, statements string) (string, error) {
	psql := containerCommand(r.postgresRoot, postgresUser, nil,
		"psql", "-h", "/tmp", "-U", "kong", "-At", "-v", "ON_ERROR_STOP=1", "-c", statements)
	var stderr bytes.Buffer
	psql.Stderr = &stderr
	output, err := psql.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, stderr.String())
	}
	return string(output), ctx.Err()
}

// HTTP implements Runner.
func (r *localRunner) HTTP(ctx context.Context, request Request) (status int, body string, err error) {
	return request.Send(ctx, http.DefaultClient, fmt.Sprintf("http://127.0.0.1:%d%s", request.Port, request.Path))
}

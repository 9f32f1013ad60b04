//go:build e2e && linux

package contract

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"kongdao.io/kongdao/pkg/migrate"
)

// inside is set for the process that has namespaces of its own.
const inside = "CONTRACT_INSIDE"

// TestMain goes on in a process with its own network, mounts and processes, so
// that the ports are free, and nothing is left behind.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		if err := enter(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "the stand-in runs by chroot in namespaces of its own: run this as root")
		os.Exit(1)
	}
	signal.Ignore(os.Interrupt)
	self := exec.Command("/proc/self/exe", os.Args[1:]...)
	self.Env = append(os.Environ(), inside+"=1")
	self.Stdout, self.Stderr = os.Stdout, os.Stderr
	self.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL,
	}
	if err := self.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// enter makes the mounts private and brings the loopback device up.
func enter() error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW, syscall.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("bring the loopback device up: %w", err)
	}
	defer syscall.Close(socket)
	// A header, and which flags device 1 is to have of which that are meant.
	var message []byte
	order := binary.NativeEndian
	message = order.AppendUint32(message, syscall.SizeofNlMsghdr+syscall.SizeofIfInfomsg)
	message = order.AppendUint16(message, syscall.RTM_NEWLINK)
	message = order.AppendUint16(message, syscall.NLM_F_REQUEST)
	for _, field := range []uint32{0, 0, 0, 1, syscall.IFF_UP, syscall.IFF_UP} {
		message = order.AppendUint32(message, field)
	}
	return syscall.Sendto(socket, message, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK})
}

func TestContract(t *testing.T) {
	runner, err := newLocal(t)
	if err != nil {
		t.Fatal(err)
	}
	Run(t, runner, migrate.Script())
}

// local runs the stand-in by chroot into the images' roots, which are read-only
// but for /tmp, as in a pod.
type local struct {
	kong, postgres, plugins string
	started                 []*process
}

func newLocal(t *testing.T) (*local, error) {
	t.Helper()
	build := exec.Command("../build.sh", "--roots")
	build.Stderr = os.Stderr
	out, err := build.Output()
	if err != nil {
		return nil, fmt.Errorf("build the images: %w", err)
	}
	roots := strings.Fields(string(out))
	runner := &local{plugins: t.TempDir()}
	for i, root := range []*string{&runner.kong, &runner.postgres} {
		*root = filepath.Join(t.TempDir(), "root")
		t.Cleanup(func() { _ = syscall.Unmount(*root, syscall.MNT_DETACH) })
		if err := mount(roots[i], *root); err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(runner.plugins, 0o755); err != nil {
		return nil, err
	}
	if err := syscall.Mount(runner.plugins, runner.kong+"/opt", "", syscall.MS_BIND, ""); err != nil {
		return nil, fmt.Errorf("mount the plugins: %w", err)
	}
	server := command(runner.postgres, 999, map[string]string{
		"POSTGRES_USER": "kong", "POSTGRES_PASSWORD": "secret", "POSTGRES_DB": "kong", "PGDATA": "/tmp/data",
	}, "/usr/local/bin/postgres.sh")
	log, err := os.Create(filepath.Join(t.TempDir(), "postgres.log"))
	if err != nil {
		return nil, err
	}
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		_ = server.Wait()
	})
	for range 150 {
		if _, err = runner.SQL(t.Context(), "select 1"); err == nil {
			return runner, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	return nil, fmt.Errorf("PostgreSQL does not come up: %w\n%s", err, text)
}

func (l *local) Fresh(ctx context.Context) error {
	for _, process := range l.started {
		_ = process.Kill()
	}
	l.started = nil
	// Nodes in the background: all that is left of Kong's user in this process's
	// own namespace of processes, and so nothing of anyone else's.
	end := command(l.kong, 1000, nil, "sh", "-c", "kill -9 -1")
	_ = end.Run()
	prefixes, err := filepath.Glob(l.kong + "/tmp/*")
	if err != nil {
		return err
	}
	for _, prefix := range prefixes {
		if err := os.RemoveAll(prefix); err != nil {
			return err
		}
	}
	_, err = l.SQL(ctx, "select count(pg_terminate_backend(pid)) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'; "+
		"set client_min_messages = error; drop schema public cascade; create schema public;")
	return err
}

// prepare writes the files, and completes the variables.
func (l *local) prepare(files Files, env map[string]string) (map[string]string, error) {
	if err := os.RemoveAll(l.plugins + "/kong"); err != nil {
		return nil, err
	}
	for name, text := range files {
		path := filepath.Join(l.plugins, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	all := map[string]string{
		"KONG_PREFIX": "/tmp/prefix", "KONG_PG_HOST": "127.0.0.1", "KONG_PG_PASSWORD": "secret",
		"KONG_LUA_PACKAGE_PATH": "/opt/?.lua;/opt/?/init.lua;;",
	}
	maps.Copy(all, env)
	return all, os.MkdirAll(l.kong+"/tmp", 0o777)
}

func (l *local) Exec(ctx context.Context, files Files, env map[string]string, words ...string) (Result, error) {
	process, err := l.start(files, env, words...)
	if err != nil {
		return Result{}, err
	}
	return process.Wait(ctx)
}

func (l *local) Background(_ context.Context, files Files, env map[string]string, words ...string) (Process, error) {
	process, err := l.start(files, env, words...)
	if err == nil {
		l.started = append(l.started, process)
	}
	return process, err
}

func (l *local) start(files Files, env map[string]string, words ...string) (*process, error) {
	all, err := l.prepare(files, env)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(all["KONG_PREFIX"], "/tmp/") {
		if err := os.MkdirAll(l.kong+all["KONG_PREFIX"], 0o755); err != nil {
			return nil, err
		}
		if err := os.Chown(l.kong+all["KONG_PREFIX"], 1000, 1000); err != nil {
			return nil, err
		}
	}
	started, err := Start(command(l.kong, 1000, all, words...))
	if err != nil {
		return nil, err
	}
	return &process{started}, nil
}

func (l *local) SQL(ctx context.Context, text string) (string, error) {
	psql := command(l.postgres, 999, nil, "psql", "-h", "/tmp", "-U", "kong", "-At", "-v", "ON_ERROR_STOP=1", "-c", text)
	var stderr bytes.Buffer
	psql.Stderr = &stderr
	out, err := psql.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, stderr.String())
	}
	return string(out), ctx.Err()
}

func (l *local) HTTP(ctx context.Context, request Request) (int, string, error) {
	made, err := http.NewRequestWithContext(ctx, request.Method, fmt.Sprintf("http://127.0.0.1:%d%s", request.Port, request.Path), strings.NewReader(request.JSON))
	if err != nil {
		return 0, "", err
	}
	if request.JSON != "" {
		made.Header.Set("Content-Type", "application/json")
	}
	for name, value := range request.Headers {
		made.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(made)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

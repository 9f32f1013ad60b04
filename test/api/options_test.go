package api

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kongdao.io/kongdao/test/installation"
)

// TestOptions proves what the program says to whoever starts it by hand, or
// reads why its container does not start.
func TestOptions(t *testing.T) {
	t.Parallel()
	_, kubeconfig, err := plane.User(installation.WebhookUser)
	if err != nil {
		t.Fatal(err)
	}
	// The certificate's folder of a webhook that is not started.
	dir := second(t, kubeconfig, nil, "--never-started").Dir
	if err := os.WriteFile(filepath.Join(dir, "webhook.log"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	quiet := []string{"--metrics-address", "0", "--health-address", "0", "--cert-dir", dir}
	for name, test := range map[string]struct {
		arguments []string
		fails     bool
		out, errs []string
	}{
		"--help":    {[]string{"--help"}, false, []string{"--kubeconfig file", "--client-ca file", "--shutdown-timeout duration", "(default 9443)"}, nil},
		"--version": {[]string{"--version"}, false, []string{"dev\n"}, nil},
		"all that is wrong": {[]string{
			"--port", "0", "--kubeconfig", "no-such-file", "--cert-dir", "no-such-folder", "--cert-name", "../tls.crt", "--tls-min-version", "1.1",
			"--metrics-address", "somewhere", "--health-address", "8081", "--log-level", "loud", "--shutdown-timeout", "-1s", "--client-ca", "ca.crt",
		}, true, nil, []string{
			"--port 0: must be", "--kubeconfig: stat no-such-file", `--cert-name "../tls.crt": must be the name of a file`, "--key-name: stat no-such-folder/tls.key",
			"set --cert-dir to the folder that contains this file", `--tls-min-version "1.1": must be 1.2 or 1.3`, `--metrics-address "somewhere"`, `--health-address "8081"`,
			`--log-level "loud"`, "--shutdown-timeout -1s", "--client-ca: stat no-such-folder/ca.crt",
		}},
		"an unknown flag":   {[]string{"--prot", "1"}, true, nil, []string{"unknown flag: --prot"}},
		"an argument":       {[]string{"serve"}, true, nil, []string{`unexpected arguments ["serve"]`, "see --help"}},
		"no cluster":        {quiet, true, nil, []string{"find the cluster", "outside a cluster, set --kubeconfig"}},
		"a port in use":     {append([]string{"--kubeconfig", kubeconfig, "--host", "127.0.0.1", "--port", port}, quiet...), true, nil, []string{"webhook: serve admissions", "127.0.0.1:" + port, "address already in use"}},
		"the metrics' port": {[]string{"--kubeconfig", kubeconfig, "--health-address", "0", "--cert-dir", dir, "--metrics-address", taken.Addr().String()}, true, nil, []string{"webhook: ", port, "address already in use"}},
	} {
		t.Run(name, func(t *testing.T) {
			seen := runProgram(t, "", program, test.arguments...)
			if seen.failed != test.fails {
				t.Errorf("fails: %v, want %v", seen.failed, test.fails)
			}
			wantText(t, seen.out, test.out...)
			wantText(t, seen.errs, test.errs...)
			if strings.Contains(seen.errs, "goroutine ") {
				t.Errorf("a stack is no answer: %s", seen.errs)
			}
		})
	}
}

// TestLogLevel proves that the level is kept to: an error level tells nothing
// of admissions that went well.
func TestLogLevel(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	_, kubeconfig, err := plane.User(installation.WebhookUser)
	if err != nil {
		t.Fatal(err)
	}
	silent := second(t, kubeconfig, nil, "--log-level", "error")
	if err := silent.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, _, err := ask(t, silent, tlsConfig(t), pod(ns, "kong", "dao-test")); err != nil || status != http.StatusOK {
		t.Fatalf("answered %d, %v", status, err)
	}
	if log, err := os.ReadFile(silent.LogFile()); err != nil || len(log) > 0 {
		t.Errorf("the log says: %s (%v)", log, err)
	}
}

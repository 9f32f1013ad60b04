package api

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kongdao.io/kongdao/test/cluster"
)

// TestCommandLine checks the output of the program for various command lines.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	kubeconfig := webhookKubeconfig(t)
	// The folder has a valid certificate. The webhook is never started.
	dir := secondWebhook(t, kubeconfig, nil).Dir
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
		"--help": {[]string{"--help"}, false, []string{"--kubeconfig file", "--client-ca file",
			"--shutdown-timeout duration", "(default 9443)"}, nil},
		"--version": {[]string{"--version"}, false, []string{"dev\n"}, nil},
		"all mistakes": {[]string{
			"--port", "0", "--kubeconfig", "no-such-file", "--cert-dir", "no-such-folder", "--cert-name", "../tls.crt",
			"--tls-min-version", "1.1",
			"--metrics-address", "somewhere", "--health-address", "8081", "--log-level", "loud", "--shutdown-timeout", "-1s",
			"--client-ca", "ca.crt",
		}, true, nil, []string{
			"--port 0: must be", "--kubeconfig: stat no-such-file", `--cert-name "../tls.crt": must be the name of a file`,
			"--key-name: stat no-such-folder/tls.key",
			"set --cert-dir to the folder that contains this file", `--tls-min-version "1.1": must be 1.2 or 1.3`,
			`--metrics-address "somewhere"`, `--health-address "8081"`,
			`--log-level "loud"`, "--shutdown-timeout -1s", "--client-ca: stat no-such-folder/ca.crt",
		}},
		"unknown flag": {[]string{"--prot", "1"}, true, nil, []string{"unknown flag: --prot"}},
		"argument":     {[]string{"serve"}, true, nil, []string{`unexpected arguments ["serve"]`, "see --help"}},
		"no cluster":   {quiet, true, nil, []string{"find the cluster", "outside a cluster, set --kubeconfig"}},
		"port in use": {append([]string{"--kubeconfig", kubeconfig, "--host", "127.0.0.1", "--port", port}, quiet...),
			true, nil, []string{"webhook: serve admissions", "127.0.0.1:" + port, "address already in use"}},
		"metrics port in use": {[]string{"--kubeconfig", kubeconfig, "--health-address", "0", "--cert-dir", dir,
			"--metrics-address", taken.Addr().String()}, true, nil, []string{"webhook: ", port, "address already in use"}},
	} {
		t.Run(name, func(t *testing.T) {
			output := cluster.RunProgram(t.Context(), t, shared.Program, "", test.arguments...)
			if output.Failed != test.fails {
				t.Errorf("failed is %v, want %v", output.Failed, test.fails)
			}
			wantText(t, output.Stdout, test.out...)
			wantText(t, output.Stderr, test.errs...)
			if strings.Contains(output.Stderr, "goroutine ") {
				t.Errorf("the output has a stack trace: %s", output.Stderr)
			}
		})
	}
}

// TestLogLevel checks that the level "error" logs no successful admissions.
func TestLogLevel(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	kubeconfig := webhookKubeconfig(t)
	silent := secondWebhook(t, kubeconfig, nil, "--log-level", "error")
	if err := silent.StartAndWait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, _, err := postReview(t, silent, tlsConfig(t), pod(ns, "kong", "dao-test")); err != nil ||
		status != http.StatusOK {
		t.Fatalf("got %d, %v", status, err)
	}
	if log, err := os.ReadFile(silent.LogFile()); err != nil || len(log) > 0 {
		t.Errorf("the log is not empty: %s (%v)", log, err)
	}
}

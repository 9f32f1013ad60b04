package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/pflag"
	admissionv1 "k8s.io/api/admission/v1"

	"kongdao.io/kongdao/test/reviews"
)

// asProcess is an environment variable that turns the test binary into the webhook.
const asProcess = "KONGDAO_TEST_AS_WEBHOOK"

func TestMain(m *testing.M) {
	if os.Getenv(asProcess) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func command(ctx context.Context, arguments ...string) *exec.Cmd {
	process := exec.CommandContext(ctx, os.Args[0], arguments...)
	// An empty environment, so that the process does not find a real cluster.
	process.Env = []string{asProcess + "=1", "HOME=/does/not/exist"}
	return process
}

// TestProcessOutput checks the output and the exit code of processes that end before they serve.
func TestProcessOutput(t *testing.T) {
	options := validOptions(t)
	certs := "--cert-dir=" + options.CertDir
	quiet := slices.Clip([]string{certs, "--host=127.0.0.1", "--metrics-address=0", "--health-address=0"})
	folder, _ := certificate(t)
	cluster := httptest.NewServer(http.HandlerFunc(serveCluster))
	defer cluster.Close()
	for name, test := range map[string]struct {
		arguments []string
		code      int
		// stdout and stderr are parts of the output. "" means no output at all.
		stdout, stderr string
	}{
		"version":    {[]string{"--version"}, 0, version + "\n", ""},
		"help":       {[]string{"--help"}, 0, "--tls-min-version version", ""},
		"short help": {[]string{"-h"}, 0, "--cert-dir folder", ""},
		"arguments": {[]string{"serve", "now"}, 1, "",
			`webhook: unexpected arguments ["serve" "now"]: this command has only flags; see --help`},
		"unknown flag":   {[]string{"--prot=1"}, 1, "", "webhook: unknown flag: --prot"},
		"malformed flag": {[]string{"--port=x"}, 1, "", "webhook: invalid argument \"x\" for \"--port\" flag"},
		"all mistakes": {[]string{certs, "--port=0", "--log-level=x"}, 1, "",
			"webhook: --log-level \"x\": must be debug, info or error\n--port 0: must be from 1 to 65535\n"},
		"no certificate": {nil, 1, "",
			"--cert-name: stat /etc/kongdao/certs/tls.crt: no such file or directory; set --cert-dir to the folder that " +
				"contains this file"},
		"no cluster":           {[]string{certs}, 1, "", "webhook: find the cluster: "},
		"no cluster, remedy":   {[]string{certs}, 1, "", "; outside a cluster, set --kubeconfig\n"},
		"malformed kubeconfig": {[]string{certs, "--kubeconfig=" + options.CertDir}, 1, "", "webhook: find the cluster: "},
		"unreachable cluster": {append(quiet, "--cert-dir="+folder, "--kubeconfig="+kubeconfig(t, "http://127.0.0.1:1")), 1,
			"", "webhook: set up the process: "},
		"malformed certificate": {append(quiet, "--kubeconfig="+kubeconfig(t, cluster.URL)), 1, "",
			"webhook: read the certificate \"" + options.CertDir + "/tls.crt\" and its key \"" + options.CertDir +
				"/tls.key\": tls: failed to find any PEM data"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			process := command(t.Context(), test.arguments...)
			process.Stdout, process.Stderr = &stdout, &stderr
			err := process.Run()
			if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
				t.Fatal(err)
			} else if ok && exit.ExitCode() != test.code || !ok && test.code != 0 {
				t.Errorf("ended with %v", err)
			}
			for stream, written := range map[string][2]string{"stdout": {stdout.String(), test.stdout},
				"stderr": {stderr.String(), test.stderr}} {
				if !strings.Contains(written[0], written[1]) || written[1] == "" && written[0] != "" {
					t.Errorf("%s has %q, want %q", stream, written[0], written[1])
				}
			}
		})
	}
}

// TestHelp checks that --help lists every flag.
func TestHelp(t *testing.T) {
	help, err := command(t.Context(), "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	options := DefaultOptions()
	flags := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
	options.AddFlags(flags)
	flags.VisitAll(func(flag *pflag.Flag) {
		// a boolean flag
		if !strings.Contains(string(help), "--"+flag.Name+" ") && !strings.Contains(string(help), "--"+flag.Name+"[=") {
			t.Errorf("--%s is missing", flag.Name)
		}
	})
}

// TestServe checks that the process serves with the chosen TLS version, and that it exits with code 0 after SIGTERM.
// The cluster has only one plugin.
func TestServe(t *testing.T) {
	cluster := httptest.NewServer(http.HandlerFunc(serveCluster))
	defer cluster.Close()
	for minVersion, rejected := range map[string]uint16{"1.2": tls.VersionTLS11, "1.3": tls.VersionTLS12} {
		t.Run(minVersion, func(t *testing.T) {
			folder, roots := certificate(t)
			address := freeAddress(t)
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			process := command(t.Context(), "--kubeconfig", kubeconfig(t, cluster.URL), "--cert-dir", folder, "--host=127.0.0.1",
				"--port", port,
				"--metrics-address=0", "--health-address=0", "--tls-min-version", minVersion)
			stderr, err := process.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := process.Start(); err != nil {
				t.Fatal(err)
			}
			log := bufio.NewScanner(stderr)
			for log.Scan() && !strings.Contains(log.Text(), "Serving webhook server") {
				t.Log(log.Text())
			}
			drained := make(chan struct{})
			go func() {
				defer close(drained)
				_, _ = io.Copy(io.Discard, stderr)
			}()
			client := func(maxVersion uint16) *http.Client {
				//nolint:gosec // the server must reject old versions
				config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: maxVersion}
				return &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
			}
			if response, err := client(rejected).Get("https://" + address); err == nil {
				_ = response.Body.Close()
				t.Errorf("the server accepts TLS %x", rejected)
			}
			checkInjects(t, client(tls.VersionTLS13), "https://"+address+"/mutate/pods")
			if err := process.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			<-drained
			if err := process.Wait(); err != nil {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// checkInjects posts the review of a pod and checks that the answer has a patch.
func checkInjects(t *testing.T, client *http.Client, url string) {
	t.Helper()
	body, err := reviews.OfPod([]byte(`{"metadata":{"annotations":{"kongdao.io/plugins":"dao-test"}},`+
		`"spec":{"containers":[{"name":"proxy","image":"kong:3.9"}]}}`), "kong")
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answered admissionv1.AdmissionReview
	if err := json.NewDecoder(response.Body).Decode(&answered); err != nil {
		t.Fatal(err)
	}
	if given := answered.Response; given == nil || !given.Allowed || len(given.Patch) == 0 {
		t.Errorf("not injected: %+v", given)
	}
}

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

// asProcess makes the test's program the webhook itself.
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
	// Nothing of a cluster that the tests may run in.
	process.Env = []string{asProcess + "=1", "HOME=/does/not/exist"}
	return process
}

// TestProcess proves what the process says, and with which exit code, where it
// does not come to serve.
func TestProcess(t *testing.T) {
	options := validOptions(t)
	certs := "--cert-dir=" + options.CertDir
	quiet := slices.Clip([]string{certs, "--host=127.0.0.1", "--metrics-address=0", "--health-address=0"})
	folder, _ := certificate(t)
	cluster := httptest.NewServer(http.HandlerFunc(serveCluster))
	defer cluster.Close()
	for name, test := range map[string]struct {
		arguments []string
		code      int
		// stdout and stderr are parts of what is written; "" for nothing at all.
		stdout, stderr string
	}{
		"version":             {[]string{"--version"}, 0, version + "\n", ""},
		"help":                {[]string{"--help"}, 0, "--tls-min-version version", ""},
		"short help":          {[]string{"-h"}, 0, "--cert-dir folder", ""},
		"arguments":           {[]string{"serve", "now"}, 1, "", `webhook: unexpected arguments ["serve" "now"]: there are only flags, see --help`},
		"unknown flag":        {[]string{"--prot=1"}, 1, "", "webhook: unknown flag: --prot"},
		"malformed flag":      {[]string{"--port=x"}, 1, "", "webhook: invalid argument \"x\" for \"--port\" flag"},
		"every mistake":       {[]string{certs, "--port=0", "--log-level=x"}, 1, "", "webhook: --log-level \"x\": neither debug, info nor error\n--port 0: not a port, 1 to 65535\n"},
		"no certificate":      {nil, 1, "", "--cert-name: stat /etc/kongdao/certs/tls.crt: no such file or directory; name the folder of the certificate with --cert-dir"},
		"no cluster":          {[]string{certs}, 1, "", "webhook: find the cluster: "},
		"no cluster's way":    {[]string{certs}, 1, "", "; outside of one, name it with --kubeconfig\n"},
		"malformed cluster":   {[]string{certs, "--kubeconfig=" + options.CertDir}, 1, "", "webhook: find the cluster: "},
		"cluster away":        {append(quiet, "--cert-dir="+folder, "--kubeconfig="+kubeconfig(t, "http://127.0.0.1:1")), 1, "", "webhook: set up the process: "},
		"certificate is none": {append(quiet, "--kubeconfig="+kubeconfig(t, cluster.URL)), 1, "", "webhook: read the certificate \"" + options.CertDir + "/tls.crt\" and its key \"" + options.CertDir + "/tls.key\": tls: failed to find any PEM data"},
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
			for stream, written := range map[string][2]string{"stdout": {stdout.String(), test.stdout}, "stderr": {stderr.String(), test.stderr}} {
				if !strings.Contains(written[0], written[1]) || written[1] == "" && written[0] != "" {
					t.Errorf("%s has %q and not %q", stream, written[0], written[1])
				}
			}
		})
	}
}

// TestHelp proves that --help tells of every flag.
func TestHelp(t *testing.T) {
	help, err := command(t.Context(), "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	options := DefaultOptions()
	flags := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
	options.AddFlags(flags)
	flags.VisitAll(func(flag *pflag.Flag) {
		if !strings.Contains(string(help), "--"+flag.Name+" ") && !strings.Contains(string(help), "--"+flag.Name+"[=") { // of a boolean
			t.Errorf("--%s is missing", flag.Name)
		}
	})
}

// TestServe proves with a cluster that has nothing but one plugin that the
// process serves over TLS of the version chosen, and ends well when told to.
func TestServe(t *testing.T) {
	cluster := httptest.NewServer(http.HandlerFunc(serveCluster))
	defer cluster.Close()
	for oldest, denied := range map[string]uint16{"1.2": tls.VersionTLS11, "1.3": tls.VersionTLS12} {
		t.Run(oldest, func(t *testing.T) {
			folder, roots := certificate(t)
			address := freeAddress(t)
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			process := command(t.Context(), "--kubeconfig", kubeconfig(t, cluster.URL), "--cert-dir", folder, "--host=127.0.0.1", "--port", port,
				"--metrics-address=0", "--health-address=0", "--tls-min-version", oldest)
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
			client := func(newest uint16) *http.Client {
				config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: newest} //nolint:gosec // the server has to deny it
				return &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
			}
			if response, err := client(denied).Get("https://" + address); err == nil {
				_ = response.Body.Close()
				t.Errorf("TLS %x is spoken", denied)
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

func checkInjects(t *testing.T, client *http.Client, url string) {
	t.Helper()
	body, err := reviews.OfPod([]byte(`{"metadata":{"annotations":{"kongdao.io/plugins":"dao-test"}},"spec":{"containers":[{"name":"proxy","image":"kong:3.9"}]}}`), "kong")
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

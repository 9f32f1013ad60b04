package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNamespaceIsTheSameAsForKubectl(t *testing.T) {
	const (
		pod = "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n" +
			"  annotations: {kongdao.io/plugins: dao-test}\nspec:\n  containers: [{name: proxy, image: kong}]\n"
		config = "apiVersion: v1\nkind: Config\ncurrent-context: a\n" +
			"contexts: [{name: a, context: {cluster: c, namespace: kong}}]\n" +
			"clusters: [{name: c, cluster: {server: https://127.0.0.1:1}}]\n"
	)
	source := succeed(t, "", "pack", fixture)
	podInKong := strings.Replace(pod, "name: a", "name: a\n  namespace: kong", 1)
	kubeconfig := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(kubeconfig, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason string
		input  string
		args   []string
		stderr string
	}{
		"no namespace": {
			reason: "objects without a namespace are in the same namespace",
			input:  source + pod,
		},
		"flag": {
			reason: "-n is the namespace of objects that have none",
			input:  source + podInKong, args: []string{"-n", "kong"},
		},
		"kubeconfig": {
			reason: "the context names the namespace",
			input:  source + podInKong, args: []string{"--kubeconfig", kubeconfig},
		},
		"default": {
			reason: "a pod cannot use a source in another namespace, and the message names that namespace",
			input:  source + podInKong,
			stderr: `the input has the plugin in namespace "default": pack it with -n kong`,
		},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := invoke(t, test.input, append([]string{"inject", "-f", "-"}, test.args...)...)
			wantFailure := test.stderr != ""
			if (code != 0) != wantFailure || !strings.Contains(stderr, test.stderr) || wantFailure && stdout != "" {
				t.Errorf("%s: exit %d\nstdout: %s\nstderr: %s", test.reason, code, stdout, stderr)
			}
		})
	}
}

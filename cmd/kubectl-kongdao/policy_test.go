package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// policyFile returns the path of a file of the golden case inject-policy.
func policyFile(name string) string { return filepath.Join("testdata", "inject-policy", name) }

// TestSecondInjectionWithPolicyChangesNothing also runs the second injection without the policy. The plugins that the
// policy added must stay.
func TestSecondInjectionWithPolicyChangesNothing(t *testing.T) {
	policy := []string{"--policy", policyFile("policy.yaml")}
	args := []string{"inject", "-f", policyFile("source.yaml"), "-f", policyFile("pods.yaml")}
	once := succeed(t, "", append(args, policy...)...)
	for _, flags := range [][]string{policy, nil} {
		twice := succeed(t, once, append([]string{"inject", "-f", "-"}, flags...)...)
		if diff := cmp.Diff(once, twice); diff != "" {
			t.Errorf("the second injection with %q changes the manifests (-once +twice):\n%s", flags, diff)
		}
	}
}

// TestOrderOfPolicyFilesChangesNothing also reads one of the files from standard input.
func TestOrderOfPolicyFilesChangesNothing(t *testing.T) {
	audits, err := os.ReadFile(policyFile("audits.json"))
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"inject", "-f", policyFile("source.yaml"), "-f", policyFile("pods.yaml"), "--policy"}
	want := succeed(t, "", append(args, policyFile("policy.yaml"), "--policy", policyFile("audits.json"))...)
	got := succeed(t, string(audits), append(args, "-,"+policyFile("policy.yaml"))...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("another order of the files changes the result (-want +got):\n%s", diff)
	}
}

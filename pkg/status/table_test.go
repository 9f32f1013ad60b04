package status_test

import (
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/status"
)

// TestTableOnTerminals checks that states have a color and that columns stay aligned. Text from the cluster cannot
// control the terminal.
func TestTableOnTerminals(t *testing.T) {
	report := status.Report{Workloads: []status.Workload{
		{Kind: "Deployment", Name: "a", State: status.Ready, Messages: []string{"fine"}},
		{Kind: "Deployment", Name: "b", State: status.Problem, Messages: []string{"\x1b[2Jgone\r\n"}},
	}}
	colored := report.Table(status.TableOptions{Colored: true})
	for _, part := range []string{"\x1b[32mReady\x1b[0m     fine", "\x1b[31mProblem\x1b[0m   ?[2Jgone??"} {
		if !strings.Contains(colored, part) {
			t.Errorf("%q is not in %q", part, colored)
		}
	}
	if plain := report.Table(status.TableOptions{}); strings.Contains(plain, "\x1b") {
		t.Errorf("a table without colors has escape sequences: %q", plain)
	}
}

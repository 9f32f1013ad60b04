package diagnosis_test

import (
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/diagnosis"
	"kongdao.io/kongdao/pkg/status"
)

func TestCheckBefore(t *testing.T) {
	allowed := diagnosis.Right{Verb: "create", Resource: "clusterroles", Allowed: true}
	denied := diagnosis.Right{Verb: "create", Resource: "namespaces"}
	empty := func(*testing.T) *diagnosis.Installation {
		return &diagnosis.Installation{KubernetesVersion: "v1.37.2"}
	}
	for name, test := range map[string]struct {
		installation func(*testing.T) *diagnosis.Installation
		right        diagnosis.Right
		id           string
		status       diagnosis.Status
	}{
		"ready":             {empty, allowed, "", diagnosis.OK},
		"no rights":         {empty, denied, "rights", diagnosis.Failed},
		"already installed": {healthy, allowed, "other-installations", diagnosis.Warning},
		"left configuration": {func(t *testing.T) *diagnosis.Installation {
			i := healthy(t)
			i.Deployments = nil
			return i
		}, allowed, "other-installations", diagnosis.Failed},
		"left gates": {func(t *testing.T) *diagnosis.Installation {
			i := empty(t)
			i.Pods = []status.Pod{{Namespace: "kong", Name: "kong-1", Gates: []string{annotations.LibraryGate}}}
			return i
		}, allowed, "gated-pods", diagnosis.Warning},
	} {
		t.Run(name, func(t *testing.T) {
			results := diagnosis.CheckBefore(*test.installation(t), []diagnosis.Right{test.right})
			if results.Worst() != test.status {
				t.Errorf("the worst status is %s, want %s: %v", results.Worst(), test.status, results)
			}
			for _, result := range results {
				if (result.Status == diagnosis.OK) == (result.ID == test.id) {
					t.Errorf("%+v", result)
				}
			}
		})
	}
}

// TestText checks the lines of results. Text from the cluster cannot control the terminal.
func TestText(t *testing.T) {
	results := diagnosis.Results{
		{ID: "a", Status: diagnosis.OK, Message: "fine"},
		{ID: "b", Status: diagnosis.Failed, Message: "broken\x1b[2J", Hint: "do this"},
	}
	want := "ok       fine\nfailed   broken?[2J\n         do this\n"
	if got := results.Text(false); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := results.Text(true); !strings.HasPrefix(got, "\x1b[32mok     \x1b[0m  fine\n\x1b[31mfailed ") {
		t.Errorf("colored: %q", got)
	}
}

package migrate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestScriptLoad checks the step that only lets Kong load the plugins. It uses no database.
func TestScriptLoad(t *testing.T) {
	for name, test := range map[string]struct {
		startError string
		want       Result
		code       int
		reason     string
	}{
		"loads": {want: result("done")},
		"rejected": {
			startError: "Error: /x/start.lua:99: nginx: [error] init_by_lua error: init.lua:708: no handler\n" +
				"stack traceback:\n x",
			want: result(outcomeUnloadable, "init.lua:708: no handler"), code: 16,
		},
		"another reason": {
			startError: "Error: bind() to 127.0.0.1:1 failed",
			want:       result(outcomeFailed, "Error: bind() to 127.0.0.1:1 failed"), code: 13,
			reason: "nothing else follows this step that could show the reason",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, code := runScript(t, "sh", nil, map[string]string{"KONGDAO_STEP": "load", "START_ERROR": test.startError})
			diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty(), cmp.AllowUnexported(Result{}))
			if diff != "" || code != test.code {
				t.Errorf("%s: exit code %d (-want +got)\n%s", test.reason, code, diff)
			}
		})
	}
}

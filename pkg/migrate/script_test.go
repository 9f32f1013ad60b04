package migrate

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// scriptCase is a conversation between the script and Kong, and its result.
type scriptCase struct {
	env     map[string]string
	answers []string
	code    int
	want    Result
	reason  string
}

func (c scriptCase) check(t *testing.T) {
	t.Helper()
	t.Parallel()
	expect := map[string]string{"KONGDAO_EXPECT": "dao-test: 000_base, 001_next"}
	for _, shell := range shells() {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			result, code := runScript(t, shell, c.answers, expect, c.env)
			diff := cmp.Diff(c.want, result, cmpopts.EquateEmpty(), cmp.AllowUnexported(Result{}))
			if diff != "" || code != c.code {
				t.Errorf("exit code %d, want %d: %s (-want +got)\n%s", code, c.code, c.reason, diff)
			}
		})
	}
}

func result(outcome jobOutcome, lines ...string) Result {
	return Result{outcome: outcome, lines: lines}
}

// mayFinish returns the variables of a Job that may finish these migrations.
func mayFinish(pending string) map[string]string {
	return map[string]string{"KONGDAO_FINISH": "named", "KONGDAO_PENDING": pending}
}

func finishStep(pending string) map[string]string {
	env := mayFinish(pending)
	env["KONGDAO_STEP"] = "finish"
	return env
}

// TestScriptUp proves what the script does in step up for each answer of Kong.
func TestScriptUp(t *testing.T) {
	unlisted := result(outcomeUnlisted, "dao-test: 000_base", "dao-test: 001_next")
	done, pending := result(outcomeDone), result(outcomePending, "dao-test: 001_next")
	for name, test := range map[string]scriptCase{
		"up to date":        {answers: []string{"list 0 both"}, want: done},
		"empty":             {answers: []string{"list 3", "bootstrap 0", "list 0 both"}, want: done},
		"new":               {answers: []string{"list 5 new", "up 0", "list 0 both"}, want: done},
		"new with teardown": {answers: []string{"list 5 new", "up 0", "list 4 pending"}, want: pending},
		"pending":           {answers: []string{"list 4 pending"}, want: pending},
		"pending and new": {
			answers: slices.Repeat([]string{"list 4 pendingnew"}, 4), code: 10,
			want:   result(outcomeBlocked, "dao-test: 001_next"),
			reason: "older pods may need what finish removes, and Kong does not run up before finish (fact K11)",
		},
		"pending and new while another runner bootstraps": {
			answers: []string{
				"list 4 othernew", "list 4 othernew", "list 4 othernew", "list 4 pendingnew", "list 0 both",
			},
			want:   done,
			reason: "a bootstrap records each migration as pending before it finishes it (fact K31)",
		},
		"pending and new, may finish": {
			env:     mayFinish("acl: x\ndao-test: 001_next"),
			answers: []string{"list 4 pendingnew", "finish 0", "list 5 new", "up 0", "list 0 both"}, want: done,
		},
		"pending, may finish another": {
			env:     mayFinish("dao-test: 001_next"),
			answers: []string{"list 4 other"}, want: result(outcomePending, "acl: 004_x", "dao-test: 001_next"),
			reason: "the Job may not finish all that is pending",
		},
		"pending, may finish all": {
			env:     map[string]string{"KONGDAO_FINISH": "all"},
			answers: []string{"list 4 other", "finish 0", "list 0 both"}, want: done,
			reason: "an interrupted bootstrap leaves migrations of Kong itself pending (fact K31)",
		},
		"not listed": {
			answers: []string{"list 0 core"}, code: 12, want: unlisted,
			reason: "up would exit 0 without doing anything (fact K10)",
		},
		"similar names": {answers: []string{"list 0 similar"}, code: 12, want: unlisted},
		"unknown names": {
			env:     map[string]string{"KONGDAO_EXPECT": "dao-test:"},
			answers: []string{"list 0 both"}, want: done,
		},
		"unknown names, not listed": {
			env:     map[string]string{"KONGDAO_EXPECT": "dao-test:\nother: a"},
			answers: []string{"list 0 core"}, code: 12, want: result(outcomeUnlisted, "dao-test", "other: a"),
		},
		"failing SQL": {
			answers: []string{"list 5 new", "up 1 sql", "list 5 new", "up 1 sql"}, code: 13,
			want: result(outcomeFailed,
				`kong migrations up: Error: [PostgreSQL error] syntax error at or near "CREAT"`),
			reason: "it is safe to run it again, and it fails again (fact K17)",
		},
		"failing SQL after a migration with teardown": {
			answers: []string{
				"list 5 new", "up 1 sql", "list 4 pendingnew", "list 4 pendingnew", "list 4 pendingnew", "list 4 pendingnew",
			},
			code: 13,
			want: result(outcomeFailed,
				`kong migrations up: Error: [PostgreSQL error] syntax error at or near "CREAT"`),
			reason: "what is pending now does not say why up failed",
		},
		"fails once": {answers: []string{"list 5 new", "up 1 sql", "list 5 new", "up 0", "list 0 both"}, want: done},
		"locked": {
			answers: []string{"list 5 new", "up 0 locked", "list 5 new", "up 0", "list 0 both"}, want: done,
			reason: "up exits 0 without doing anything (fact K10)",
		},
		"locked for long": {
			answers: []string{
				"list 5 new", "up 1 lock", "list 5 new", "up 1 lock", "list 5 new", "up 1 lock", "list 0 both",
			},
			want:   done,
			reason: "to wait for the lock is not a failure (fact K28)",
		},
		"unreachable for some time": {answers: []string{"list 1 route", "list 1 route", "list 0 both"}, want: done},
		"unreachable until the deadline": {
			env:     map[string]string{"KONGDAO_DEADLINE": "2"},
			answers: []string{"list 1 route", "list 1 route"}, code: 11,
			want: result(outcomeDeadline, "kong migrations list: "+strings.TrimSpace(noRoute)),
		},
		"unreachable for a while": {
			env:     map[string]string{"KONGDAO_WAIT": "2"},
			answers: []string{"list 1 route", "list 1 route", "list 1 route"}, code: 11,
			want:   result(outcomeDeadline, "kong migrations list: "+strings.TrimSpace(noRoute)),
			reason: "the status shows what the Job waits for, and the next Job waits longer",
		},
		"no password": {
			answers: []string{"list 1 password", "list 1 password"}, code: 13,
			want: result(outcomeFailed, "kong migrations list: Error: [PostgreSQL error] failed to retrieve PostgreSQL "+
				"server_version_num: missing password, required for connect"),
			reason: "waiting cannot fix it (case 28)",
		},
		"invalid migration": {
			answers: []string{"list 1 invalid", "list 1 invalid"}, code: 13,
			want:   result(outcomeFailed, "kong migrations list: "+strings.Split(invalid, "\n")[0]),
			reason: "Kong rejects the plugin (case 28)",
		},
		"no kong": {
			answers: []string{"list 127", "list 127"}, code: 13, want: result(outcomeFailed, "kong migrations list:"),
		},
		"up without progress": {
			answers: []string{"list 5 new", "up 0", "list 5 new", "list 5 new", "up 0", "list 5 new"}, code: 13,
			want:   result(outcomeFailed, "kong migrations up exits 0, but Kong lists the same migrations as before"),
			reason: "without a limit, the script calls Kong forever",
		},
		"unknown output": {
			answers: []string{"list 0 json", "list 0 json"}, code: 13,
			want: result(outcomeFailed, `kong migrations list: exit code 0 without a section "Executed migrations:"; `+
				"kongdao does not support this version of Kong"),
			reason: "another Kong may print something else",
		},
		"stopped while it waits": {
			env:     map[string]string{"STOP_AFTER": "2"},
			answers: []string{"list 1 route", "list 1 route"}, code: 15,
			want:   result(outcomeStopped, "kong migrations list: "+strings.TrimSpace(noRoute)),
			reason: "the kubelet stops Kong's images with SIGQUIT (fact K41)",
		},
		"stopped while up waits for the lock": {
			env:     map[string]string{"STOP_IN": "up", "RESTY_PRINTS": "line"},
			answers: []string{"list 5 new", "up 0"}, code: 15, want: result(outcomeStopped),
			reason: "no migration runs before Kong names the first one",
		},
		"stopped while a migration runs": {
			env:     map[string]string{"STOP_IN": "up", "RESTY_PRINTS": "line"},
			answers: []string{"list 5 new", "up 0 migrating"}, code: 15, want: result(outcomeStopped),
			reason: "after a kill, the migration runs again (fact K29)",
		},
		"stopped during up, and the output comes late": {
			env:     map[string]string{"STOP_IN": "up"},
			answers: []string{"list 5 new", "up 0 silent"}, code: 15, want: result(outcomeStopped),
			reason: "a migration may run",
		},
		"Kong cannot load the plugin": {
			env: map[string]string{"START_ERROR": "Error: /x/start.lua:99: nginx: [error] init_by_lua error: " +
				"/x/init.lua:708: error loading plugin schemas: on plugin 'dao-test': no configuration schema found\n" +
				"stack traceback:\n\t[C]: in function 'assert'"},
			code: 16,
			want: result(outcomeUnloadable,
				"/x/init.lua:708: error loading plugin schemas: on plugin 'dao-test': no configuration schema found"),
			reason: "the database stays untouched (fact K47)",
		},
		"Kong does not start for another reason": {
			env:     map[string]string{"START_ERROR": "Error: bind() to 127.0.0.1:1 failed"},
			answers: []string{"list 0 both"}, want: done,
			reason: "the pod does not run Kong like this",
		},
	} {
		t.Run(name, test.check)
	}
}

// TestScriptReadsFiles proves that the script sets settings from files, as the entrypoint of Kong's image does (fact
// K41).
func TestScriptReadsFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("se'cr\"et\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := file + "-missing"
	noPassword := "kong migrations list: " + strings.TrimSuffix(strings.TrimSpace(password), "SETTING")
	for name, test := range map[string]scriptCase{
		"file": {
			env:     map[string]string{"KONG_PG_PASSWORD_FILE": file},
			answers: []string{"list 1 password", "list 1 password"}, code: 13,
			want: result(outcomeFailed, noPassword+"se'cr\"et"), reason: "Kong gets the content of the file (case 27)",
		},
		"file and value": {
			env: map[string]string{"KONG_PG_PASSWORD_FILE": file, "KONG_PG_PASSWORD": "x"}, code: 13,
			want:   result(outcomeFailed, "KONG_PG_PASSWORD and KONG_PG_PASSWORD_FILE are both set; remove one of them"),
			reason: "the entrypoint fails too",
		},
		"missing file": {
			env: map[string]string{"KONG_PG_PASSWORD_FILE": missing}, code: 13,
			want: result(outcomeFailed, "KONG_PG_PASSWORD_FILE: cat: "+missing+": No such file or directory"),
		},
		"name in the value of another variable": {
			env:     map[string]string{"KONG_CUSTOM": "a\nKONG_PG_PASSWORD_FILE=" + missing},
			answers: []string{"list 0 both"}, want: result(outcomeDone),
		},
		"settings of this Kong": {
			env: map[string]string{
				"SETTINGS":              "return [[\nproxy_listen = 0.0.0.0\npg_password = NONE\n]]\n",
				"KONG_PG_PASSWORD_FILE": file, "KONG_OTHER_FILE": missing,
			},
			answers: []string{"list 1 password", "list 1 password"}, code: 13,
			want: result(outcomeFailed, noPassword+"se'cr\"et"), reason: "KONG_OTHER is not a setting",
		},
		"password of the first administrator": {
			env:  map[string]string{"SETTINGS": "pg_password = NONE\n", "KONG_PASSWORD_FILE": missing},
			code: 13, want: result(outcomeFailed, "KONG_PASSWORD_FILE: cat: "+missing+": No such file or directory"),
			reason: "the entrypoint reads it too, although it is not a setting",
		},
		"directive of nginx": {
			env: map[string]string{
				"KONG_NGINX_PROXY_AUTH_BASIC_USER_FILE": missing, "KONG_PG_PASSWORD_FILE": "", "KONG_PG_PASSWORD": "x",
			},
			answers: []string{"list 0 both"}, want: result(outcomeDone),
			reason: "it is not a setting with a file, and an empty variable means nothing",
		},
	} {
		t.Run(name, test.check)
	}
}

// TestScriptFinish proves what the script does in step finish for each answer of Kong.
func TestScriptFinish(t *testing.T) {
	done := result(outcomeDone)
	for name, test := range map[string]scriptCase{
		"pending": {
			env:     finishStep("dao-test: 001_next"),
			answers: []string{"list 4 pending", "finish 0", "list 0 both"}, want: done,
		},
		"more is pending": {
			env: finishStep("dao-test: 001_next"), answers: slices.Repeat([]string{"list 4 other"}, 4), code: 10,
			want: result(outcomeBlocked, "acl: 004_x", "dao-test: 001_next"),
		},
		"more is pending while another runner bootstraps": {
			env:     finishStep("dao-test: 001_next"),
			answers: []string{"list 4 other", "list 4 pending", "finish 0", "list 0 both"}, want: done,
		},
		"empty": {
			env: finishStep(""), answers: []string{"list 3"}, code: 14,
			want: result(outcomeEmpty, "the database was never bootstrapped"),
		},
		"nothing pending": {
			env: finishStep(""), answers: []string{"list 0 both"}, want: done,
			reason: "another runner has finished it",
		},
	} {
		t.Run(name, test.check)
	}
}

// TestParseResult proves that every termination message is a result.
func TestParseResult(t *testing.T) {
	for message, want := range map[string]jobOutcome{
		"done\n\n":                      outcomeDone,
		"pending\ndao-test: 001_next\n": outcomePending,
		"blocked\na: b":                 outcomeBlocked,
		"deadline":                      outcomeDeadline,
		"unlisted\na":                   outcomeUnlisted,
		"failed\nError: x":              outcomeFailed,
		"empty\nx":                      outcomeEmpty,
		"stopped\n":                     outcomeStopped,
		"":                              outcomeUnknown,
		"OOMKilled, exit code 137":      outcomeUnknown,
		"Done\n":                        outcomeUnknown,
		"done and more":                 outcomeUnknown,
	} {
		if got := ParseResult(message); got.outcome != want {
			t.Errorf("%q: outcome %q, want %q", message, got.outcome, want)
		}
	}
	if got := fmt.Sprint(ParseResult("pending\na: 1, 2\nb: 3\n").lines); got != "[a: 1, 2 b: 3]" {
		t.Errorf("the lines are %s", got)
	}
}

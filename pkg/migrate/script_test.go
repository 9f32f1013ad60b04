package migrate_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kongdao.io/kongdao/pkg/migrate"
)

// fakeKong is a kong command that answers from files. The next line of "answers" has the expected command, its exit
// code, and the file that it prints. It knows nothing about migrations: test/e2e and test/kong run the script with a
// Kong that does.
const fakeKong = `#!/bin/sh
read -r call code file <"$ANSWERS/answers"
sed -i 1d "$ANSWERS/answers"
[ "$2" = "$call" ] || { echo "called as 'kong $*', want $call" >>"$ANSWERS/wrong"; exit 99; }
echo "$*" >>"$ANSWERS/calls"
[ -z "$file" ] || cat "$ANSWERS/$file"
exit "$code"
`

const (
	executedBoth = "Executed migrations:\n      core: 000_base\n  dao-test: 000_base, 001_next\n"
	pendingNext  = "Executed migrations:\n      core: 000_base\n  dao-test: 000_base\n\n" +
		"Pending migrations:\ndao-test: 001_next\n\nRun 'kong migrations finish' when ready\n"
	pendingOther = "Executed migrations:\n  dao-test: 000_base\n\nPending migrations:\nacl: 004_x\ndao-test: 001_next\n\n"
	pendingNew   = "Executed migrations:\n  dao-test: 000_base\n\nPending migrations:\ndao-test: 001_next\n\n" +
		"New migrations available:\ndao-test: 002_last\n\n\nRun 'kong migrations finish' when ready\n"
	newBoth = "Executed migrations:\n core: 000_base\n\n" +
		"New migrations available:\ndao-test: 000_base, 001_next\n\nRun 'kong migrations up' to proceed\n"
	coreOnly     = "Executed migrations:\n core: 000_base\n"
	similarNames = "Executed migrations:\n  dao-test: 0000_base, 001_next_t\n  my-dao-test: 000_base, 001_next\n"
	sqlError     = "Error: [PostgreSQL error] syntax error at or near \"CREAT\"\nstack traceback:\n" +
		"\t[C]: in function 'error'\n\n  Run with --v (verbose) or --vv (debug) for more details\n"
	lockError = "Error: [PostgreSQL error] timeout\n\n  Run with --v (verbose) or --vv (debug) for more details\n"
	noRoute   = "Error: [PostgreSQL error] failed to retrieve PostgreSQL server_version_num: no route to host\n"
	locked    = "aborted: another node is performing database changes\n"
)

// kongOutputs returns the files that fakeKong prints.
func kongOutputs() map[string]string {
	return map[string]string{
		"both": executedBoth, "pending": pendingNext, "other": pendingOther, "pendingnew": pendingNew, "new": newBoth,
		"core": coreOnly, "similar": similarNames, "sql": sqlError, "lock": lockError, "route": noRoute, "locked": locked,
	}
}

// scriptCase is a conversation between the script and Kong, and its result.
type scriptCase struct {
	env     map[string]string
	answers []string
	code    int
	want    migrate.Result
	reason  string
}

func (c scriptCase) check(t *testing.T) {
	t.Helper()
	t.Parallel()
	result, code := runScript(t, c.answers, map[string]string{"KONGDAO_EXPECT": "dao-test: 000_base, 001_next"}, c.env)
	if diff := cmp.Diff(c.want, result, cmpopts.EquateEmpty()); diff != "" || code != c.code {
		t.Errorf("exit code %d, want %d: %s (-want +got)\n%s", code, c.code, c.reason, diff)
	}
}

func result(outcome migrate.Outcome, lines ...string) migrate.Result {
	return migrate.Result{Outcome: outcome, Lines: lines}
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
	unlisted := result(migrate.OutcomeUnlisted, "dao-test: 000_base", "dao-test: 001_next")
	done, pending := result(migrate.OutcomeDone), result(migrate.OutcomePending, "dao-test: 001_next")
	for name, test := range map[string]scriptCase{
		"up to date":        {answers: []string{"list 0 both"}, want: done},
		"empty":             {answers: []string{"list 3", "bootstrap 0", "list 0 both"}, want: done},
		"new":               {answers: []string{"list 5 new", "up 0", "list 0 both"}, want: done},
		"new with teardown": {answers: []string{"list 5 new", "up 0", "list 4 pending"}, want: pending},
		"pending":           {answers: []string{"list 4 pending"}, want: pending},
		"pending and new": {
			answers: []string{"list 4 pendingnew"}, code: 10, want: result(migrate.OutcomeBlocked, "dao-test: 001_next"),
			reason: "older pods may need what finish removes, and Kong does not run up before finish (fact K11)",
		},
		"pending and new, may finish": {
			env:     mayFinish("acl: x\ndao-test: 001_next"),
			answers: []string{"list 4 pendingnew", "finish 0", "list 5 new", "up 0", "list 0 both"}, want: done,
		},
		"pending, may finish another": {
			env:     mayFinish("dao-test: 001_next"),
			answers: []string{"list 4 other"}, want: result(migrate.OutcomePending, "acl: 004_x", "dao-test: 001_next"),
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
			answers: []string{"list 0 core"}, code: 12, want: result(migrate.OutcomeUnlisted, "dao-test", "other: a"),
		},
		"failing SQL": {
			answers: []string{"list 5 new", "up 1 sql", "list 5 new", "up 1 sql"}, code: 13,
			want:   result(migrate.OutcomeFailed, `Error: [PostgreSQL error] syntax error at or near "CREAT"`),
			reason: "it is safe to run it again, and it fails again (fact K17)",
		},
		"fails once": {answers: []string{"list 5 new", "up 1 sql", "list 5 new", "up 0", "list 0 both"}, want: done},
		"locked": {
			answers: []string{"list 5 new", "up 0 locked", "list 5 new", "up 0", "list 0 both"}, want: done,
			reason: "up exits 0 without doing anything (fact K10)",
		},
		"locked for long": {
			answers: []string{"list 5 new", "up 1 lock", "list 5 new", "up 1 lock", "list 0 both"}, want: done,
			reason: "to wait for the lock is not a failure (fact K28)",
		},
		"unreachable for some time": {answers: []string{"list 1 route", "list 1 route", "list 0 both"}, want: done},
		"unreachable until the deadline": {
			env:     map[string]string{"KONGDAO_DEADLINE": "2"},
			answers: []string{"list 1 route", "list 1 route"}, code: 11,
			want: result(migrate.OutcomeDeadline, "kong migrations list: "+strings.TrimSpace(noRoute)),
		},
	} {
		t.Run(name, test.check)
	}
}

// TestScriptFinish proves what the script does in step finish for each answer of Kong.
func TestScriptFinish(t *testing.T) {
	done := result(migrate.OutcomeDone)
	for name, test := range map[string]scriptCase{
		"pending": {
			env:     finishStep("dao-test: 001_next"),
			answers: []string{"list 4 pending", "finish 0", "list 0 both"}, want: done,
		},
		"more is pending": {
			env: finishStep("dao-test: 001_next"), answers: []string{"list 4 other"}, code: 10,
			want: result(migrate.OutcomeBlocked, "acl: 004_x", "dao-test: 001_next"),
		},
		"empty": {
			env: finishStep(""), answers: []string{"list 3"}, code: 14,
			want: result(migrate.OutcomeEmpty, "the database was never bootstrapped"),
		},
		"nothing pending": {
			env: finishStep(""), answers: []string{"list 0 both"}, want: done,
			reason: "another runner has finished it",
		},
	} {
		t.Run(name, test.check)
	}
}

// runScript runs the script with fakeKong. It returns the result and the exit code.
func runScript(t *testing.T, answers []string, environments ...map[string]string) (migrate.Result, int) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, content := range kongOutputs() {
		write(name, content, 0o600)
	}
	write("answers", strings.Join(answers, "\n")+"\n", 0o600)
	write("kong", fakeKong, 0o700)
	write("sleep", "#!/bin/sh\nexit 0\n", 0o700) // the tests do not wait
	message := write("message", "", 0o600)
	script := strings.ReplaceAll(migrate.Script(), "/dev/termination-log", message)
	command := exec.CommandContext(t.Context(), "/bin/sh", "-c", script)
	env := map[string]string{
		"PATH": dir + ":" + os.Getenv("PATH"), "ANSWERS": dir,
		"KONGDAO_STEP": "up", "KONGDAO_FINISH": "none", "KONGDAO_PENDING": "",
		"KONGDAO_TIMEOUT": "600", "KONGDAO_DEADLINE": "1800", "KONGDAO_TRIES": "2",
	}
	for _, more := range environments {
		maps.Copy(env, more)
	}
	for name, value := range env {
		command.Env = append(command.Env, name+"="+value)
	}
	output, err := command.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	} else if ok && exit.ExitCode() < 0 {
		t.Fatalf("the script did not exit: %v\n%s", err, output)
	}
	for _, name := range []string{"wrong", "answers"} { // wrong calls, and answers that the script did not ask for
		if content, _ := os.ReadFile(filepath.Join(dir, name)); strings.TrimSpace(string(content)) != "" {
			t.Errorf("%s: %s\n%s", name, content, output)
		}
	}
	checkCalls(t, readFile(t, filepath.Join(dir, "calls")))
	return migrate.ParseResult(readFile(t, message)), command.ProcessState.ExitCode()
}

// checkCalls proves that only commands that change the database have the long timeouts, and that none resets it.
func checkCalls(t *testing.T, calls string) {
	t.Helper()
	for call := range strings.Lines(calls) {
		step := strings.Fields(call)[1]
		hasTimeouts := strings.HasSuffix(strings.TrimSpace(call), "--db-timeout 600 --lock-timeout 600")
		if hasTimeouts != (step != "list") {
			t.Errorf("kong %s: a lease that is shorter than the migration lets a second runner in (fact K28)", call)
		}
		if strings.Contains(call, "-f") || strings.Contains(call, "reset") {
			t.Errorf("the script calls kong %s", call)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestParseResult proves that every termination message is a result.
func TestParseResult(t *testing.T) {
	for message, want := range map[string]migrate.Outcome{
		"done\n\n":                      migrate.OutcomeDone,
		"pending\ndao-test: 001_next\n": migrate.OutcomePending,
		"blocked\na: b":                 migrate.OutcomeBlocked,
		"deadline":                      migrate.OutcomeDeadline,
		"unlisted\na":                   migrate.OutcomeUnlisted,
		"failed\nError: x":              migrate.OutcomeFailed,
		"empty\nx":                      migrate.OutcomeEmpty,
		"stopped\n":                     migrate.OutcomeStopped,
		"":                              migrate.OutcomeUnknown,
		"OOMKilled, exit code 137":      migrate.OutcomeUnknown,
		"Done\n":                        migrate.OutcomeUnknown,
		"done and more":                 migrate.OutcomeUnknown,
	} {
		if got := migrate.ParseResult(message); got.Outcome != want {
			t.Errorf("%q: outcome %q, want %q", message, got.Outcome, want)
		}
	}
	if got := fmt.Sprint(migrate.ParseResult("pending\na: 1, 2\nb: 3\n").Lines); got != "[a: 1, 2 b: 3]" {
		t.Errorf("the lines are %s", got)
	}
}

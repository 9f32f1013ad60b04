package migrate_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kongdao.io/kongdao/pkg/migrate"
)

// fakeKong answers from files: the next line of "answers" says what the next
// call must be, how it exits, and which file of the folder it prints. It knows
// nothing of migrations: test/e2e runs the script with more of a Kong.
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
	pendingNext  = "Executed migrations:\n      core: 000_base\n  dao-test: 000_base\n\nPending migrations:\ndao-test: 001_next\n\nRun 'kong migrations finish' when ready\n"
	pendingOther = "Executed migrations:\n  dao-test: 000_base\n\nPending migrations:\nacl: 004_x\ndao-test: 001_next\n\n"
	pendingNew   = "Executed migrations:\n  dao-test: 000_base\n\nPending migrations:\ndao-test: 001_next\n\nNew migrations available:\ndao-test: 002_last\n\n\nRun 'kong migrations finish' when ready\n"
	newBoth      = "Executed migrations:\n core: 000_base\n\nNew migrations available:\ndao-test: 000_base, 001_next\n\nRun 'kong migrations up' to proceed\n"
	coreAlone    = "Executed migrations:\n core: 000_base\n"
	similarNames = "Executed migrations:\n  dao-test: 0000_base, 001_next_t\n  my-dao-test: 000_base, 001_next\n"
	sqlError     = "Error: [PostgreSQL error] syntax error at or near \"CREAT\"\nstack traceback:\n\t[C]: in function 'error'\n\n  Run with --v (verbose) or --vv (debug) for more details\n"
	lockError    = "Error: [PostgreSQL error] timeout\n\n  Run with --v (verbose) or --vv (debug) for more details\n"
	noRoute      = "Error: [PostgreSQL error] failed to retrieve PostgreSQL server_version_num: no route to host\n"
	locked       = "aborted: another node is performing database changes\n"
)

// TestScript proves what the Job's script does at each answer of Kong, and what
// it says in the end.
func TestScript(t *testing.T) {
	files := map[string]string{
		"both": executedBoth, "pending": pendingNext, "other": pendingOther, "pendingnew": pendingNew, "new": newBoth, "core": coreAlone,
		"similar": similarNames, "sql": sqlError, "lock": lockError, "route": noRoute, "locked": locked,
	}
	const expect = "dao-test: 000_base, 001_next"
	for name, test := range map[string]struct {
		env     map[string]string
		answers []string
		code    int
		want    migrate.Result
		reason  string
	}{
		"up to date":        {answers: []string{"list 0 both"}, want: migrate.Result{Outcome: migrate.OutcomeDone}},
		"empty":             {answers: []string{"list 3", "bootstrap 0", "list 0 both"}, want: migrate.Result{Outcome: migrate.OutcomeDone}},
		"new":               {answers: []string{"list 5 new", "up 0", "list 0 both"}, want: migrate.Result{Outcome: migrate.OutcomeDone}},
		"new with teardown": {answers: []string{"list 5 new", "up 0", "list 4 pending"}, want: migrate.Result{Outcome: migrate.OutcomePending, Lines: []string{"dao-test: 001_next"}}},
		"pending":           {answers: []string{"list 4 pending"}, want: migrate.Result{Outcome: migrate.OutcomePending, Lines: []string{"dao-test: 001_next"}}},
		"pending and new":   {answers: []string{"list 4 pendingnew"}, code: 10, want: migrate.Result{Outcome: migrate.OutcomeBlocked, Lines: []string{"dao-test: 001_next"}}, reason: "older pods may need what is pending (K11)"},
		"pending and new, may finish it": {env: map[string]string{"KONGDAO_FINISH": "named", "KONGDAO_PENDING": "acl: x\ndao-test: 001_next"},
			answers: []string{"list 4 pendingnew", "finish 0", "list 5 new", "up 0", "list 0 both"}, want: migrate.Result{Outcome: migrate.OutcomeDone}},
		"may finish another": {env: map[string]string{"KONGDAO_FINISH": "named", "KONGDAO_PENDING": "dao-test: 001_next"},
			answers: []string{"list 4 other"}, want: migrate.Result{Outcome: migrate.OutcomePending, Lines: []string{"acl: 004_x", "dao-test: 001_next"}}, reason: "more is pending than was allowed"},
		"may finish all": {env: map[string]string{"KONGDAO_FINISH": "all"}, answers: []string{"list 4 other", "finish 0", "list 0 both"}, want: migrate.Result{Outcome: migrate.OutcomeDone}, reason: "no Kong has ever served (K31)"},
		"finish":         {env: map[string]string{"KONGDAO_STEP": "finish", "KONGDAO_FINISH": "named", "KONGDAO_PENDING": "dao-test: 001_next"}, answers: []string{"list 4 pending", "finish 0", "list 0 both"}, want: migrate.Result{Outcome: migrate.OutcomeDone}},
		"finish, more is pending": {env: map[string]string{"KONGDAO_STEP": "finish", "KONGDAO_FINISH": "named", "KONGDAO_PENDING": "dao-test: 001_next"},
			answers: []string{"list 4 other"}, code: 10, want: migrate.Result{Outcome: migrate.OutcomeBlocked, Lines: []string{"acl: 004_x", "dao-test: 001_next"}}},
		"finish, empty":     {env: map[string]string{"KONGDAO_STEP": "finish"}, answers: []string{"list 3"}, code: 14, want: migrate.Result{Outcome: migrate.OutcomeEmpty, Lines: []string{"the database has not been bootstrapped"}}},
		"finish, done":      {env: map[string]string{"KONGDAO_STEP": "finish"}, answers: []string{"list 0 both"}, want: migrate.Result{Outcome: migrate.OutcomeDone}, reason: "somebody else did it"},
		"not visible":       {answers: []string{"list 0 core"}, code: 12, want: migrate.Result{Outcome: migrate.OutcomeUnlisted, Lines: []string{"dao-test: 000_base", "dao-test: 001_next"}}, reason: "up would exit 0 (K10)"},
		"similar names":     {answers: []string{"list 0 similar"}, code: 12, want: migrate.Result{Outcome: migrate.OutcomeUnlisted, Lines: []string{"dao-test: 000_base", "dao-test: 001_next"}}},
		"names not known":   {env: map[string]string{"KONGDAO_EXPECT": "dao-test:"}, answers: []string{"list 0 both"}, want: migrate.Result{Outcome: migrate.OutcomeDone}},
		"not known, absent": {env: map[string]string{"KONGDAO_EXPECT": "dao-test:\nother: a"}, answers: []string{"list 0 core"}, code: 12, want: migrate.Result{Outcome: migrate.OutcomeUnlisted, Lines: []string{"dao-test", "other: a"}}},
		"failing SQL": {answers: []string{"list 5 new", "up 1 sql", "list 5 new", "up 1 sql"}, code: 13,
			want: migrate.Result{Outcome: migrate.OutcomeFailed, Lines: []string{`Error: [PostgreSQL error] syntax error at or near "CREAT"`}}, reason: "running it again is safe, and comes to the same (K17)"},
		"fails once":         {answers: []string{"list 5 new", "up 1 sql", "list 5 new", "up 0", "list 0 both"}, want: migrate.Result{Outcome: migrate.OutcomeDone}},
		"locked":             {answers: []string{"list 5 new", "up 0 locked", "list 5 new", "up 0", "list 0 both"}, want: migrate.Result{Outcome: migrate.OutcomeDone}, reason: "it exits 0, having done nothing (K10)"},
		"locked for long":    {answers: []string{"list 5 new", "up 1 lock", "list 5 new", "up 1 lock", "list 0 both"}, want: migrate.Result{Outcome: migrate.OutcomeDone}, reason: "waiting for the lock is no failure (K28)"},
		"unreachable":        {answers: []string{"list 1 route", "list 1 route", "list 0 both"}, want: migrate.Result{Outcome: migrate.OutcomeDone}},
		"unreachable to end": {env: map[string]string{"KONGDAO_DEADLINE": "2"}, answers: []string{"list 1 route", "list 1 route"}, code: 11, want: migrate.Result{Outcome: migrate.OutcomeDeadline, Lines: []string{"kong migrations list: " + strings.TrimSpace(noRoute)}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, code := runScript(t, files, test.answers, map[string]string{"KONGDAO_EXPECT": expect}, test.env)
			if diff := cmp.Diff(test.want, result, cmp.Transformer("lines", func(lines []string) string { return strings.Join(lines, "\n") })); diff != "" || code != test.code {
				t.Errorf("exit %d, want %d: %s (-want +got)\n%s", code, test.code, test.reason, diff)
			}
		})
	}
}

// runScript runs the script with a Kong that gives answers, all of which have to
// be asked for, and yields what it leaves for the kubelet.
func runScript(t *testing.T, files map[string]string, answers []string, environments ...map[string]string) (migrate.Result, int) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, content := range files {
		write(name, content, 0o600)
	}
	write("answers", strings.Join(answers, "\n")+"\n", 0o600)
	write("kong", fakeKong, 0o700)
	write("sleep", "#!/bin/sh\nexit 0\n", 0o700) // nobody waits for real
	message := write("message", "", 0o600)
	command := exec.CommandContext(t.Context(), "/bin/sh", "-c", strings.ReplaceAll(migrate.Script(), "/dev/termination-log", message))
	env := map[string]string{
		"PATH": dir + ":" + os.Getenv("PATH"), "ANSWERS": dir, "KONGDAO_STEP": "up", "KONGDAO_FINISH": "none", "KONGDAO_PENDING": "",
		"KONGDAO_TIMEOUT": "600", "KONGDAO_DEADLINE": "1800", "KONGDAO_TRIES": "2",
	}
	for _, more := range environments {
		maps.Copy(env, more)
	}
	for name, value := range env {
		command.Env = append(command.Env, name+"="+value)
	}
	output, err := command.CombinedOutput()
	for what, want := range map[string]string{"wrong": "", "answers": ""} {
		if left, _ := os.ReadFile(filepath.Join(dir, what)); strings.TrimSpace(string(left)) != want {
			t.Errorf("%s: %s\n%s", what, left, output)
		}
	}
	for call := range strings.Lines(readFile(t, filepath.Join(dir, "calls"))) {
		step := strings.Fields(call)[1]
		if timeouts := strings.HasSuffix(strings.TrimSpace(call), "--db-timeout 600 --lock-timeout 600"); timeouts != (step != "list") {
			t.Errorf("kong %s: steps, and they alone, are to have the long timeouts, both alike (K28)", call)
		}
		if strings.Contains(call, "-f") || strings.Contains(call, "reset") {
			t.Errorf("kong %s", call)
		}
	}
	code := 0
	if err != nil {
		exit, ok := err.(*exec.ExitError) //nolint:errorlint // as Run gives it
		if !ok {
			t.Fatal(err)
		}
		code = exit.ExitCode()
	}
	return migrate.ParseResult(readFile(t, message)), code
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestParseResult proves that whatever a container leaves is a result.
func TestParseResult(t *testing.T) {
	for message, want := range map[string]migrate.Outcome{
		"": migrate.OutcomeUnknown, "done\n\n": migrate.OutcomeDone, "pending\ndao-test: 001_next\n": migrate.OutcomePending, "blocked\na: b": migrate.OutcomeBlocked,
		"OOMKilled, exit code 137": migrate.OutcomeUnknown, "Done\n": migrate.OutcomeUnknown, "failed\nError: x": migrate.OutcomeFailed, "done and more": migrate.OutcomeUnknown,
	} {
		if got := migrate.ParseResult(message); got.Outcome != want {
			t.Errorf("%q: %+v", message, got)
		}
	}
	if got := fmt.Sprint(migrate.ParseResult("pending\na: 1, 2\nb: 3\n").Lines); got != "[a: 1, 2 b: 3]" {
		t.Error(got)
	}
}

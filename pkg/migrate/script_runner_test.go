package migrate

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeKong is a kong command that answers from files. The next line of "answers" has the expected command, its exit
// code, and the file that it prints: to standard error if it fails with 1. It knows nothing about migrations: test/e2e
// and test/kong run the script with a Kong that does. It starts, unless START_ERROR is set. STOP_IN=up sends a signal
// to the script before up ends. If up has no file to print, it then runs until it is killed. Otherwise it must not be
// killed.
const fakeKong = `#!/bin/sh
case $1 in
  start)
    env | grep ^KONG_ >"$ANSWERS/start"
    [ -z "${START_ERROR:-}" ] || { echo "$START_ERROR" >&2; exit 1; }
    exit ;;
  stop) exit ;;
esac
read -r call code file <"$ANSWERS/answers"
sed -i 1d "$ANSWERS/answers"
[ "$2" = "$call" ] || { echo "called as 'kong $*', want $call" >>"$ANSWERS/wrong"; exit 99; }
echo "$*" >>"$ANSWERS/calls"
if [ "${STOP_IN:-}" = "$2" ]; then
  [ -z "$file" ] || { cat "$ANSWERS/$file"; echo "kong was killed" >"$ANSWERS/wrong"; }
  kill -QUIT $PPID
  while [ -z "$file" ]; do command -p sleep 0.1; done
  command -p sleep 0.5
  rm "$ANSWERS/wrong"
  exit "$code"
fi
[ "$code" != 1 ] || exec >&2
time="2026/11/26 16:00:0$(wc -l <"$ANSWERS/calls")"
[ -z "$file" ] || sed "s|TIME|$time|;s|SETTING|${KONG_PG_PASSWORD:-}|" "$ANSWERS/$file"
[ -z "${STOP_AFTER:-}" ] || [ "$(wc -l <"$ANSWERS/calls")" != "$STOP_AFTER" ] || kill -QUIT $PPID
exit "$code"
`

const (
	executedBoth = "Executed migrations:\n      core: 000_base\n  dao-test: 000_base, 001_next\n"
	pendingNext  = "Executed migrations:\n      core: 000_base\n  dao-test: 000_base\n\n" +
		"Pending migrations:\ndao-test: 001_next\n\nRun 'kong migrations finish' when ready\n"
	pendingOther = "Executed migrations:\n  dao-test: 000_base\n\nPending migrations:\nacl: 004_x\ndao-test: 001_next\n\n"
	pendingNew   = "Executed migrations:\n  dao-test: 000_base\n\nPending migrations:\ndao-test: 001_next\n\n" +
		"New migrations available:\ndao-test: 002_last\n\n\n" + warning + "\nRun 'kong migrations finish' when ready\n"
	otherNew = pendingOther + "New migrations available:\ndao-test: 002_last\n\n\n" + warning
	warning  = "TIME [warn] Database has pending migrations from a previous upgrade\n"
	newBoth  = "Executed migrations:\n core: 000_base\n\n" +
		"New migrations available:\ndao-test: 000_base, 001_next\n\nRun 'kong migrations up' to proceed\n"
	coreOnly     = "Executed migrations:\n core: 000_base\n"
	similarNames = "Executed migrations:\n  dao-test: 0000_base, 001_next_t\n  my-dao-test: 000_base, 001_next\n"
	sqlError     = "Error: [PostgreSQL error] syntax error at or near \"CREAT\"\nstack traceback:\n" +
		"\t[C]: in function 'error'\n\n  Run with --v (verbose) or --vv (debug) for more details\n"
	lockError = "Error: [PostgreSQL error] timeout\n\n  Run with --v (verbose) or --vv (debug) for more details\n"
	noRoute   = "Error: [PostgreSQL error] failed to retrieve PostgreSQL server_version_num: no route to host\n"
	password  = "Error: [PostgreSQL error] failed to retrieve PostgreSQL server_version_num: missing password, required " +
		"for connect SETTING\n"
	invalid = "Error: /usr/local/share/lua/5.1/x.lua:16: [PostgreSQL error] migration 'x' of 'dao-test' subsystem is " +
		"invalid: schema violation (cassandra: unknown field)\nstack traceback:\n\t[C]: in function 'error'\n"
	migratesLine = "migrating dao-test on database 'kong'...\n"
	otherFormat  = "database is up to date: {\"dao-test\": [\"000_base\"]}\n"
	locked       = "aborted: another node is performing database changes\n"
)

// kongOutputs returns the files that fakeKong prints.
func kongOutputs() map[string]string {
	return map[string]string{
		"both": executedBoth, "pending": pendingNext, "other": pendingOther, "othernew": otherNew,
		"pendingnew": pendingNew, "new": newBoth,
		"core": coreOnly, "similar": similarNames, "sql": sqlError, "lock": lockError, "route": noRoute, "locked": locked,
		"password": password, "invalid": invalid, "json": otherFormat, "migrating": migratesLine, "silent": "",
	}
}

// shells returns the shells of this machine that images of Kong have as /bin/sh. BusyBox is not one of them: its sleep
// is built in, so the tests would wait.
func shells() []string {
	return slices.DeleteFunc([]string{"sh", "dash", "bash"}, func(name string) bool {
		_, err := exec.LookPath(name)
		return err != nil
	})
}

// runScript runs the script with fakeKong in a shell. It returns the result and the exit code.
func runScript(t *testing.T, shell string, answers []string, environments ...map[string]string) (Result, int) {
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
	// The tests do not wait: only sleep moves the script's clock.
	write("clock", "0\n", 0o600)
	write("date", "#!/bin/sh\ncat \"$ANSWERS/clock\"\n", 0o700)
	write("sleep", "#!/bin/sh\necho $(($(cat \"$ANSWERS/clock\") + $1)) >\"$ANSWERS/clock\"\n"+
		"[ -z \"${STOP_IN:-}\" ] || command -p sleep 0.1\n", 0o700)
	write("stdbuf", "#!/bin/sh\nshift\nexec \"$@\"\n", 0o700)
	write("resty", "#!/bin/sh\necho ${RESTY_PRINTS:-} | grep .\ncommand -p sleep 1\n", 0o700)
	message := write("message", "", 0o600)
	script := strings.ReplaceAll(Script(), "/dev/termination-log", message)
	script = strings.ReplaceAll(script, "/usr/local/share/lua/5.1/kong/templates/", dir+"/")
	command := exec.CommandContext(t.Context(), shell, "-c", script)
	env := map[string]string{
		"PATH": dir + ":" + os.Getenv("PATH"), "ANSWERS": dir, "KONG_PREFIX": filepath.Join(dir, "prefix"),
		"KONGDAO_STEP": "up", "KONGDAO_FINISH": "none", "KONGDAO_PENDING": "",
		"KONGDAO_TIMEOUT": "600", "KONGDAO_WAIT": "1000", "KONGDAO_DEADLINE": "1800", "KONGDAO_TRIES": "2",
	}
	for _, more := range environments {
		maps.Copy(env, more)
	}
	if list, ok := env["SETTINGS"]; ok {
		write("kong_defaults.lua", list, 0o600)
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
	if calls, err := os.ReadFile(filepath.Join(dir, "calls")); err == nil {
		checkCalls(t, string(calls))
	}
	return ParseResult(readFile(t, message)), command.ProcessState.ExitCode()
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

// Package contract describes the behaviour of Kong that kongdao depends on. It is a table of test cases: each runs
// commands on an empty database and compares their output and exit codes.
//
// The cases hold for Kong 3.9 and for the fake Kong in the parent directory. To run them, implement a Runner and call
// Run.
package contract

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Files are Lua files by their path below /opt. Kong finds plugins there through KONG_LUA_PACKAGE_PATH (fact K1).
type Files map[string]string

// Result is the result of a command.
type Result struct {
	Stdout, Stderr string
	Exit           int
}

// Process is a running command.
type Process interface {
	// Kill sends SIGKILL to the command and to all its children.
	Kill() error
	// Wait waits until the command has ended.
	Wait(ctx context.Context) (Result, error)
}

// Request is an HTTP request to a Kong node.
type Request struct {
	Method string
	// Port is 8000 for the proxy, 8001 for the Admin API and 8100 for the status API.
	Port    int
	Path    string
	JSON    string
	Headers map[string]string
}

// Send sends the request to a URL and returns the response.
func (r Request) Send(ctx context.Context, client *http.Client, url string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, r.Method, url, strings.NewReader(r.JSON))
	if err != nil {
		return 0, "", err
	}
	if r.JSON != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.Headers {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, string(text), err
}

// Runner runs Kong and its database. It sets the variables KONG_PREFIX, KONG_PG_HOST, KONG_PG_PASSWORD and
// KONG_LUA_PACKAGE_PATH for each command, unless the parameter env has them.
type Runner interface {
	// Reset ends all processes of Kong, and deletes the contents of the database, the prefix and the plugin's files.
	Reset(ctx context.Context) error
	// Exec runs a command and returns its result. It replaces the plugin's files first, unless files is nil: a command in
	// the background may be reading them.
	Exec(ctx context.Context, files Files, env map[string]string, command ...string) (Result, error)
	// Background starts a command. It replaces the plugin's files first, unless files is nil.
	Background(ctx context.Context, files Files, env map[string]string, command ...string) (Process, error)
	// SQL runs statements in Kong's database. The result has one line per row, with "|" between columns.
	SQL(ctx context.Context, statements string) (string, error)
	// HTTP sends a request to the Kong node that a command has started.
	HTTP(ctx context.Context, request Request) (status int, body string, err error)
}

// ResetSQL are the statements for Runner.Reset. They close all other connections and delete all tables.
const ResetSQL = "select count(pg_terminate_backend(pid)) from pg_stat_activity " +
	"where pid <> pg_backend_pid() and backend_type = 'client backend'; " +
	"set client_min_messages = error; drop schema public cascade; create schema public;"

// testCase is a row of the table. It starts with an empty database.
type testCase struct {
	name string
	// reason states the facts that the case proves.
	reason string
	steps  []step
}

// caseTimeout limits a test case.
const caseTimeout = 3 * time.Minute

// Run runs all cases. The script is that of a migration's Job.
func Run(t *testing.T, runner Runner, jobScript string) {
	files := pluginFiles(t)
	cases := slices.Concat(
		stateCases(files), loadingCases(files), lockCases(files), migrationCases(files),
		modeCases(files), pluginsVariableCases(files), jobCases(files, jobScript), stopCases(files, jobScript))
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			cause := fmt.Errorf("timeout after %v", caseTimeout)
			ctx, cancel := context.WithTimeoutCause(t.Context(), caseTimeout, cause)
			defer cancel()
			if err := runner.Reset(ctx); err != nil {
				t.Fatal(err)
			}
			run := newExecution(runner)
			defer run.killAll()
			for i, step := range test.steps {
				if err := run.do(ctx, step); err != nil {
					t.Fatalf("%s: step %d (%s): %v", test.reason, i+1, step.title(), err)
				}
			}
		})
	}
}

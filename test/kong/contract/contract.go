// Package contract holds what Kong does, as far as kongdao depends on it, as one
// table: commands on databases that start out empty, with what they print and
// how they exit. Whoever can run Kong somewhere writes a Runner and calls Run;
// it holds for a real Kong 3.9 and for the stand-in beside this package alike.
// The numbers K1 and so on are those of the table in the stand-in's README.
package contract

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Files are Lua files by their paths below the folder that KONG_LUA_PACKAGE_PATH
// names (K1).
type Files map[string]string

// Result is what a command left.
type Result struct {
	Stdout, Stderr string
	Exit           int
}

// Process is a command that goes on.
type Process interface {
	// Kill ends it by SIGKILL, with all that it started.
	Kill() error
	// Wait waits for its end.
	Wait(ctx context.Context) (Result, error)
}

// Request is one to a node of Kong's.
type Request struct {
	Method string
	// Port is that of the listener: 8000 the proxy's, 8001 the Admin API's,
	// 8100 that for the status.
	Port    int
	Path    string
	JSON    string
	Headers map[string]string
}

// Runner runs Kong. Commands get its variables for reaching the database and
// KONG_LUA_PACKAGE_PATH, then those of Variables, then the step's own.
type Runner interface {
	// Fresh ends all that is left of Kong, and empties the database and the
	// prefix.
	Fresh(ctx context.Context) error
	// Exec runs a command where Kong's programs are, with the plugin's files.
	Exec(ctx context.Context, files Files, env map[string]string, command ...string) (Result, error)
	// Background starts one, and does not wait.
	Background(ctx context.Context, files Files, env map[string]string, command ...string) (Process, error)
	// SQL runs SQL in Kong's database; rows are lines, columns divided by "|".
	SQL(ctx context.Context, text string) (string, error)
	// HTTP asks the node that a command has started.
	HTTP(ctx context.Context, request Request) (status int, body string, err error)
}

// Variables are those of every command, unless a step has others. A value of
// Unset takes one away.
var Variables = map[string]string{
	"KONG_DATABASE": "postgres", "KONG_PLUGINS": "bundled,dao-test", "KONG_ADMIN_LISTEN": "0.0.0.0:8001",
	"KONG_PROXY_LISTEN": "0.0.0.0:8000", "KONG_STATUS_LISTEN": "0.0.0.0:8100",
}

// Unset as a variable's value means that it is not set.
const Unset = "\x00unset"

// Step is one of: a command (Run or Shell), alone or in the background; the wait
// for one, or its end; SQL; a request; or time that passes. Files and Env hold
// for a command and those after it.
type Step struct {
	Files Files
	Env   map[string]string

	Run   string // words of a command
	Shell string // a script instead
	Exit  int
	// Out must be in the output, stdout and stderr together; Not must not.
	Out, Not []string
	// Whole is the file among a real Kong's outputs that stdout must equal. JSON
	// may order keys as it likes.
	Whole string

	Background string // the command's name from here on
	Wait, Kill string // names: Exit, Out and Not are about what Wait gets

	SQL  string
	Rows string // what it must give
	// Until asks again until the rows are these, for as long as this.
	Until time.Duration

	HTTP   *Request
	Status int

	Pause time.Duration
}

// Case is a row of the table. It starts with an empty database.
type Case struct {
	Name   string
	Reason string // the facts
	Steps  []Step
}

// Run runs the whole table. script is that of a migration's Job, for "sh -c".
func Run(t *testing.T, runner Runner, script string) {
	for _, row := range Cases(t, script) {
		t.Run(row.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			if err := runner.Fresh(ctx); err != nil {
				t.Fatal(err)
			}
			state := &state{runner: runner, env: maps.Clone(Variables), processes: map[string]Process{}}
			defer state.end()
			for i, step := range row.Steps {
				if err := state.do(ctx, step); err != nil {
					t.Fatalf("%s: step %d (%s): %v", row.Reason, i+1, step.title(), err)
				}
			}
		})
	}
}

func (s Step) title() string {
	for _, title := range []string{s.Run, s.Shell, s.SQL, s.Wait, s.Kill} {
		if title != "" {
			title, _, _ = strings.Cut(title, "\n")
			return title
		}
	}
	if s.HTTP != nil {
		return s.HTTP.Method + " " + s.HTTP.Path
	}
	return "pause"
}

type state struct {
	runner    Runner
	files     Files
	env       map[string]string
	processes map[string]Process
}

func (s *state) end() {
	for _, process := range s.processes {
		_ = process.Kill()
	}
}

func (s *state) do(ctx context.Context, step Step) error {
	if step.Files != nil {
		s.files = step.Files
	}
	for name, value := range step.Env {
		s.env[name] = value
		if value == Unset {
			delete(s.env, name)
		}
	}
	switch {
	case step.Run != "" || step.Shell != "":
		return s.command(ctx, step)
	case step.Wait != "":
		result, err := s.processes[step.Wait].Wait(ctx)
		if err != nil {
			return err
		}
		return step.check(result)
	case step.Kill != "":
		return s.processes[step.Kill].Kill()
	case step.SQL != "":
		return s.sql(ctx, step)
	case step.HTTP != nil:
		return s.request(ctx, step)
	}
	select {
	case <-time.After(step.Pause):
	case <-ctx.Done():
	}
	return ctx.Err()
}

func (s *state) command(ctx context.Context, step Step) error {
	command := strings.Fields(step.Run)
	if step.Shell != "" {
		command = []string{"sh", "-c", step.Shell}
	}
	if step.Background != "" {
		process, err := s.runner.Background(ctx, s.files, s.env, command...)
		if err == nil {
			s.processes[step.Background] = process
		}
		return err
	}
	result, err := s.runner.Exec(ctx, s.files, s.env, command...)
	if err != nil {
		return err
	}
	return step.check(result)
}

func (s Step) check(result Result) error {
	out := result.Stdout + result.Stderr
	if result.Exit != s.Exit {
		return fmt.Errorf("exit %d, not %d:\n%s", result.Exit, s.Exit, out)
	}
	for _, part := range s.Out {
		if !strings.Contains(out, part) {
			return fmt.Errorf("%q is not in the output:\n%s", part, out)
		}
	}
	for _, part := range s.Not {
		if strings.Contains(out, part) {
			return fmt.Errorf("%q is in the output:\n%s", part, out)
		}
	}
	return s.whole(result.Stdout)
}

// whole compares with what a real Kong printed, when that is at hand.
func (s Step) whole(stdout string) error {
	folder := os.Getenv("KONG_OUTPUTS")
	if s.Whole == "" || folder == "" {
		return nil
	}
	printed, err := os.ReadFile(filepath.Join(folder, s.Whole))
	if err != nil {
		return err
	}
	if strings.HasSuffix(s.Whole, ".status.txt") {
		var want, got any
		if err := json.Unmarshal(printed, &want); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(stdout), &got); err != nil {
			return fmt.Errorf("not JSON: %w: %s", err, stdout)
		}
		if !reflect.DeepEqual(want, got) {
			return fmt.Errorf("not what a real Kong prints:\n%s", stdout)
		}
		return nil
	}
	if stdout != string(printed) {
		return fmt.Errorf("not what a real Kong prints:\n%q\nbut\n%q", stdout, printed)
	}
	return nil
}

func (s *state) sql(ctx context.Context, step Step) error {
	deadline := time.Now().Add(step.Until)
	for {
		rows, err := s.runner.SQL(ctx, step.SQL)
		rows = strings.TrimSpace(rows)
		if err == nil && rows == step.Rows {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("rows %q, not %q", rows, step.Rows), err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// request asks again for some seconds: nodes learn of new routes a moment after
// the Admin API has answered.
func (s *state) request(ctx context.Context, step Step) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		status, body, err := s.runner.HTTP(ctx, *step.HTTP)
		if err == nil && status == step.Status {
			return Step{Out: step.Out, Not: step.Not}.check(Result{Stdout: body})
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("status %d, not %d: %s", status, step.Status, body), err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

package contract

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	sqlRetryInterval = 100 * time.Millisecond
	// requestTimeout is long because Kong nodes learn of new routes some time after the Admin API has responded.
	requestTimeout       = 10 * time.Second
	requestRetryInterval = 200 * time.Millisecond
)

// execution runs the steps of a case.
type execution struct {
	runner    Runner
	files     Files // for the next command, or nil if they are written
	env       map[string]string
	processes map[string]Process // background commands by name
}

func newExecution(runner Runner) *execution {
	return &execution{
		runner: runner,
		env: map[string]string{
			"KONG_DATABASE": "postgres", "KONG_PLUGINS": "bundled,dao-test", "KONG_ADMIN_LISTEN": "0.0.0.0:8001",
			"KONG_PROXY_LISTEN": "0.0.0.0:8000", "KONG_STATUS_LISTEN": "0.0.0.0:8100",
		},
		processes: map[string]Process{},
	}
}

// killAll kills all background commands.
func (e *execution) killAll() {
	for _, process := range e.processes {
		_ = process.Kill()
	}
}

// do runs a step and checks its result.
func (e *execution) do(ctx context.Context, s step) error {
	if s.files != nil {
		e.files = s.files
	}
	for name, value := range s.env {
		e.env[name] = value
		if value == unset {
			delete(e.env, name)
		}
	}
	switch {
	case s.command != nil:
		return e.runCommand(ctx, s)
	case s.waitFor != "":
		result, err := e.processes[s.waitFor].Wait(ctx)
		if err != nil {
			return err
		}
		return s.checkResult(result)
	case s.kill != "":
		return e.processes[s.kill].Kill()
	case s.sql != "":
		return e.runSQL(ctx, s)
	case s.request != nil:
		return e.sendRequest(ctx, s)
	}
	return sleep(ctx, s.duration)
}

func (e *execution) runCommand(ctx context.Context, s step) error {
	files := e.files
	e.files = nil
	if s.background != "" {
		process, err := e.runner.Background(ctx, files, e.env, s.command...)
		if err == nil {
			e.processes[s.background] = process
		}
		return err
	}
	result, err := e.runner.Exec(ctx, files, e.env, s.command...)
	if err != nil {
		return err
	}
	return s.checkResult(result)
}

func (e *execution) runSQL(ctx context.Context, s step) error {
	deadline := time.Now().Add(s.timeout)
	for {
		rows, err := e.runner.SQL(ctx, s.sql)
		rows = strings.TrimSpace(rows)
		if err == nil && rows == s.rows {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("rows %q, want %q", rows, s.rows), err)
		}
		if err := sleep(ctx, sqlRetryInterval); err != nil {
			return err
		}
	}
}

func (e *execution) sendRequest(ctx context.Context, s step) error {
	deadline := time.Now().Add(requestTimeout)
	for {
		status, body, err := e.runner.HTTP(ctx, *s.request)
		if err == nil && status == s.status {
			return s.checkOutput(body)
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("status %d, want %d: %s", status, s.status, body), err)
		}
		if err := sleep(ctx, requestRetryInterval); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, duration time.Duration) error {
	select {
	case <-time.After(duration):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

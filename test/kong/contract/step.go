package contract

import (
	"slices"
	"strings"
	"time"
)

// unset as the value of a variable removes the variable.
const unset = "\x00unset"

// step is an action with its expected result. Create it with the functions below. They return copies, so steps can be
// shared between cases.
type step struct {
	// One of these is the action.
	command  []string
	waitFor  string // the name of a background command
	kill     string // the name of a background command
	sql      string
	request  *Request
	duration time.Duration // a pause

	// files and env are for this command and all later commands of the case.
	files Files
	env   map[string]string
	// background is a name for the command. The case then continues immediately.
	background string

	// The expected result of a command or a request.
	exit       int
	status     int
	output     []string // parts of stdout and stderr, or of the response body
	notOutput  []string // parts that must not be in the output
	outputFile string   // a file of KONG_OUTPUTS that stdout must be equal to
	// The expected result of SQL.
	rows    string
	timeout time.Duration // how long to wait for the rows
}

// kong runs the command kong with arguments.
func kong(arguments string) step {
	return step{command: append([]string{"kong"}, strings.Fields(arguments)...)}
}

// shell runs a shell script.
func shell(script string) step { return step{command: []string{"sh", "-c", script}} }

// waitFor waits until a background command has ended. The expected result is that of the command.
func waitFor(name string) step { return step{waitFor: name} }

// kill kills a background command.
func kill(name string) step { return step{kill: name} }

// sql runs statements that must return the rows.
func sql(statements, rows string) step { return step{sql: statements, rows: rows} }

// get sends a request to a port. The response must have the status.
func get(status, port int, path string) step {
	return step{request: &Request{Method: "GET", Port: port, Path: path}, status: status}
}

// postAdmin and putAdmin send a request to the Admin API. The response must have the status.
func postAdmin(status int, path, json string) step {
	return step{request: &Request{Method: "POST", Port: adminPort, Path: path, JSON: json}, status: status}
}

func putAdmin(status int, path, json string) step {
	return step{request: &Request{Method: "PUT", Port: adminPort, Path: path, JSON: json}, status: status}
}

// pause waits without a check.
func pause(duration time.Duration) step { return step{duration: duration} }

// withFiles sets the plugin's files from this command on.
func (s step) withFiles(files Files) step {
	s.files = files
	return s
}

// withEnv sets environment variables from this command on.
func (s step) withEnv(env map[string]string) step {
	s.env = env
	return s
}

// withPlugins sets KONG_PLUGINS from this command on.
func (s step) withPlugins(value string) step {
	return s.withEnv(map[string]string{"KONG_PLUGINS": value})
}

// inBackground gives the command a name and does not wait for its end.
func (s step) inBackground(name string) step {
	s.background = name
	return s
}

// exits sets the expected exit code. The default is 0.
func (s step) exits(code int) step {
	s.exit = code
	return s
}

// prints adds parts of the expected output.
func (s step) prints(parts ...string) step {
	s.output = append(slices.Clip(s.output), parts...)
	return s
}

// omits adds parts that must not be in the output.
func (s step) omits(parts ...string) step {
	s.notOutput = append(slices.Clip(s.notOutput), parts...)
	return s
}

// printsFile sets a file with the output of a real Kong. Stdout must be equal to it. The order of JSON keys may differ.
func (s step) printsFile(name string) step {
	s.outputFile = name
	return s
}

// within sets how long to wait for the rows. The default is not to wait.
func (s step) within(timeout time.Duration) step {
	s.timeout = timeout
	return s
}

// title describes the step in an error.
func (s step) title() string {
	switch {
	case s.command != nil:
		title, _, _ := strings.Cut(strings.Join(s.command, " "), "\n")
		return title
	case s.waitFor != "":
		return "wait for " + s.waitFor
	case s.kill != "":
		return "kill " + s.kill
	case s.sql != "":
		return s.sql
	case s.request != nil:
		return s.request.Method + " " + s.request.Path
	}
	return "pause"
}

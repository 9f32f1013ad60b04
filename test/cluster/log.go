package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Logger has a log: the webhook or the controller.
type Logger interface{ LogFile() string }

// LogLine is a part of a line of a log.
type LogLine struct {
	Level     string `json:"level"`
	Logger    string `json:"logger"`
	Message   string `json:"msg"`
	Error     string `json:"error"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Result    string `json:"result"`
	DryRun    bool   `json:"dryRun"`

	text string
}

// String returns the whole line.
func (l LogLine) String() string { return l.text }

// ReadLog reads the log of a process. It ignores a last line that is not complete yet.
func ReadLog(of Logger) ([]LogLine, error) {
	text, err := os.ReadFile(of.LogFile())
	if err != nil {
		return nil, err
	}
	return parseLog(text)
}

func parseLog(text []byte) ([]LogLine, error) {
	var lines []LogLine
	for raw := range bytes.Lines(text) {
		if !bytes.HasSuffix(raw, []byte("\n")) {
			break
		}
		line, err := parseLine(raw)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// parseLine parses a line. The message of a process that exits with an error is not JSON. A process that was killed can
// leave a part of a line. Then the first line of the next process follows on the same line.
func parseLine(raw []byte) (LogLine, error) {
	line := LogLine{text: string(raw)}
	for _, program := range []string{"webhook: ", "controller: "} {
		if exit, ok := bytes.CutPrefix(raw, []byte(program)); ok {
			line.Level, line.Error = "error", string(exit)
			return line, nil
		}
	}
	if json.Unmarshal(raw, &line) == nil {
		return line, nil
	}
	if next := bytes.LastIndex(raw, []byte(`{"level"`)); next > 0 {
		return parseLine(raw[next:])
	}
	return line, fmt.Errorf("the log has a line that is not JSON: %s", raw)
}

// CheckLog returns an error for each data race, panic and error in the log of a process. It ignores errors that contain
// one of the expected texts, and Events that the process could not write before it stopped.
func CheckLog(of Logger, expected ...string) error {
	text, err := os.ReadFile(of.LogFile())
	if err != nil {
		return err
	}
	var found []error
	for _, bug := range []string{"DATA RACE", "panic"} {
		if at := bytes.Index(text, []byte(bug)); at >= 0 {
			found = append(found, fmt.Errorf("%s has a %s:\n%s", of.LogFile(), bug,
				text[max(0, at-200):min(len(text), at+4000)]))
		}
	}
	lines, err := parseLog(text)
	if err != nil {
		found = append(found, err)
	}
	for _, line := range lines {
		isExpected := slices.ContainsFunc(expected, func(part string) bool { return strings.Contains(line.Error, part) })
		if line.Level == "error" && !isExpected && !line.isLostEvent() {
			found = append(found, fmt.Errorf("%s has an error: %s", of.LogFile(), line))
		}
	}
	return errors.Join(found...)
}

// isLostEvent reports whether client-go could not write an Event because the process stops. It drops these Events.
func (l LogLine) isLostEvent() bool {
	return l.Logger == "events" && strings.HasSuffix(l.Error, "context canceled")
}

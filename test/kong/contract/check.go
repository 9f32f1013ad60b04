package contract

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// outputsVariable is the environment variable with a folder that has outputs of a real Kong. If it is not set, the
// cases do not compare whole outputs.
const outputsVariable = "KONG_OUTPUTS"

// checkResult returns an error unless a command has the expected result.
func (s step) checkResult(result Result) error {
	output := result.Stdout + result.Stderr
	if result.Exit != s.exit {
		return fmt.Errorf("exit code %d, want %d:\n%s", result.Exit, s.exit, output)
	}
	if err := s.checkOutput(output); err != nil {
		return err
	}
	return s.checkOutputFile(result.Stdout)
}

// checkOutput returns an error unless the output has all expected parts and no other ones.
func (s step) checkOutput(output string) error {
	for _, part := range s.output {
		if !strings.Contains(output, part) {
			return fmt.Errorf("%q is not in the output:\n%s", part, output)
		}
	}
	for _, part := range s.notOutput {
		if strings.Contains(output, part) {
			return fmt.Errorf("%q is in the output:\n%s", part, output)
		}
	}
	return nil
}

// checkOutputFile compares stdout with the output of a real Kong.
func (s step) checkOutputFile(stdout string) error {
	folder := os.Getenv(outputsVariable)
	if s.outputFile == "" || folder == "" {
		return nil
	}
	want, err := os.ReadFile(filepath.Join(folder, s.outputFile))
	if err != nil {
		return err
	}
	if strings.HasSuffix(s.outputFile, ".status.txt") {
		return compareJSON(stdout, want)
	}
	if stdout != string(want) {
		return fmt.Errorf("a real Kong prints another output:\n%q\nwant\n%q", stdout, want)
	}
	return nil
}

func compareJSON(stdout string, wantText []byte) error {
	var want, got any
	if err := json.Unmarshal(wantText, &want); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		return fmt.Errorf("the output is not JSON: %w: %s", err, stdout)
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Errorf("a real Kong prints another output:\n%s\nwant\n%s", stdout, wantText)
	}
	return nil
}

package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// logFile is a log in a file.
type logFile string

func (f logFile) LogFile() string { return string(f) }

func TestCheckLog(t *testing.T) {
	for name, test := range map[string]struct {
		log, expected, reason string
		fails                 bool
	}{
		"information":    {`{"level":"info","msg":"starting"}`, "", "", false},
		"error":          {`{"level":"error","msg":"m","error":"boom"}`, "", "", true},
		"expected error": {`{"level":"error","msg":"m","error":"boom"}`, "oom", "a test causes it", false},
		"lost Event": {`{"level":"error","logger":"events","error":"Post \"https://a\": context canceled"}`, "",
			"the process stops before the Event is written", false},
		"rejected Event": {`{"level":"error","logger":"events","error":"forbidden"}`, "", "", true},
		"stopped write": {`{"level":"error","logger":"migrations","error":"context canceled"}`, "",
			"a controller must end its writes", true},
		"race":   {"WARNING: DATA RACE", "", "", true},
		"exit":   {"controller: flag is missing", "", "the message of a process that ends is not JSON", true},
		"broken": {"{", "", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(file, []byte(test.log+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			err := CheckLog(logFile(file), strings.Fields(test.expected)...)
			if (err != nil) != test.fails {
				t.Errorf("%s: %v", test.reason, err)
			}
		})
	}
}

package process

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestRun checks what a program prints and returns, and whether it serves.
func TestRun(t *testing.T) {
	failed := errors.New("no cluster")
	for name, test := range map[string]struct {
		arguments []string
		invalid   error
		output    string
		err       string
		serves    bool
	}{
		"valid":   {[]string{"--name=x"}, nil, "", "no cluster", true},
		"version": {[]string{"--version"}, nil, "1.2.3\n", "", false},
		"help":    {[]string{"--help"}, nil, "--name string", "", false},
		"arguments": {
			[]string{"now"}, nil, "", `unexpected arguments ["now"]: this command has only flags; see --help`, false,
		},
		"other flag": {[]string{"--nam=x"}, nil, "", "unknown flag: --nam", false},
		"invalid":    {nil, errors.New("--name: missing"), "", "--name: missing", false},
	} {
		t.Run(name, func(t *testing.T) {
			served := false
			program := Program{
				Name: "test", Version: "1.2.3",
				AddFlags: func(flags *pflag.FlagSet) { flags.String("name", "", "a name") },
				Validate: func() error { return test.invalid },
				Serve:    func(context.Context) error { served = true; return failed },
			}
			var output strings.Builder
			err := program.run(t.Context(), test.arguments, &output)
			if served != test.serves || !strings.Contains(output.String(), test.output) ||
				test.output == "" && output.String() != "" {
				t.Errorf("serves: %v, output %q; want %v, %q", served, output.String(), test.serves, test.output)
			}
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("the error is %v, want %q", err, test.err)
			}
		})
	}
}

// TestJoin checks that mistakes are sorted, one per line.
func TestJoin(t *testing.T) {
	var first, second Problems
	first.Add("--port %d: too high", 7)
	second.Add("--name: missing")
	second.AddInvalid("--host", "a b", "name", []string{"must not have spaces", "must be short"})
	second.AddInvalid("--valid", "x", "name", nil)
	want := "--host \"a b\": invalid name: must not have spaces\n--name: missing\n--port 7: too high"
	if got := Join(first, second).Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := Join(nil, nil); err != nil {
		t.Errorf("without mistakes: %v", err)
	}
}

package checks_test

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/checks"
)

// verdict is a plugin's directory, and the answer of a real Kong 3.9.1.
type verdict struct {
	Case, Plugin, Kong string
	Files              map[string]verdictFile
}

// verdictFile is text, or {"base64": …}, or {"size": …} for a comment of that size before other text.
type verdictFile []byte

func (f *verdictFile) UnmarshalJSON(text []byte) error {
	var plain string
	if json.Unmarshal(text, &plain) == nil {
		*f = verdictFile(plain)
		return nil
	}
	var other struct {
		Base64 []byte
		Text   string
		Pad    int
	}
	if err := json.Unmarshal(text, &other); err != nil {
		return err
	}
	*f = other.Base64
	if other.Pad > 0 {
		*f = []byte("--" + strings.Repeat("x", other.Pad) + "\n" + other.Text)
	}
	return nil
}

// onlyRunningShows are the cases whose failure no check can know: code that throws, failing SQL, and a module that
// Kong's image may have.
var onlyRunningShows = map[string]bool{
	"handler-runtime-error": true, "handler-nil-require": true, "migration-bad-sql": true,
	"migration-teardown-error": true,
}

// TestVerdicts compares the checks with a real Kong: an error if and only if Kong fails.
func TestVerdicts(t *testing.T) {
	file, err := os.Open("testdata/verdicts.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	count := 0
	for lines.Scan() {
		var v verdict
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		count++
		t.Run(v.Case, func(t *testing.T) {
			findings := checkFiles(v.Plugin, v.files(), checks.KongVersion{Major: 3, Minor: 9})
			isError := checks.Worst(findings) == checks.Error
			fails := v.Kong != "accepts" && !onlyRunningShows[v.Case]
			if isError != fails {
				t.Errorf("Kong %s; findings: %q", v.Kong, findings)
			}
		})
	}
	if err := lines.Err(); err != nil || count < 98 {
		t.Errorf("%d verdicts: %v", count, err)
	}
}

func (v verdict) files() map[string][]byte {
	files := map[string][]byte{}
	for path, content := range v.Files {
		files[path] = content
	}
	return files
}

// checkFiles checks a plugin's directory.
func checkFiles(plugin string, files map[string][]byte, version checks.KongVersion) []checks.Finding {
	summaries := map[string]*checks.Summary{}
	for path, content := range files {
		summaries[path] = nil
		if strings.HasSuffix(path, checks.LuaSuffix) {
			summaries[path] = checks.Summarize(path, content)
		}
	}
	return checks.Check(checks.Release{Plugin: plugin, Files: summaries, KongVersion: version})
}

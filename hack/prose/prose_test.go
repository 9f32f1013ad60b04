package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden file")

// TestFindings compares the findings in testdata/tree, which breaks each rule, with a golden file.
func TestFindings(t *testing.T) {
	program := os.Getenv("KONGDAO_VALE")
	if program == "" {
		t.Fatal("KONGDAO_VALE is not set: run `make test`, or set it to $(hack/vale/build.sh)/vale")
	}
	found, err := check(t.Context(), filepath.Join("testdata", "tree"), vale{program, "vale.ini"}, []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, finding := range found {
		got.WriteString(finding.String() + "\n")
	}
	golden := filepath.Join("testdata", "findings.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("findings differ from %s (run with -update to accept them):\n%s", golden, got.String())
	}
}

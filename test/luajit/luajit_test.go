// Package luajit compares package lua with LuaJIT.
package luajit

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/lua"
)

// TestParserAgreesWithLuaJIT compiles a corpus and its mutations with LuaJIT. The parser must accept exactly the same
// files, and name the same line.
func TestParserAgreesWithLuaJIT(t *testing.T) {
	files := corpus(t)
	const mutations = 3000
	random := rand.New(rand.NewPCG(15, 43)) //nolint:gosec // the same mutations in each run
	all := slices.Clone(files)
	for _, file := range files {
		for range mutations {
			all = append(all, mutate(random, file, files))
		}
	}
	accepted, rejected := 0, 0
	for i, verdict := range compile(t, all) {
		_, err := lua.Dialect{IsLua51: true}.Parse(all[i])
		var syntax *lua.SyntaxError
		switch {
		case verdict == "ok" && err != nil:
			t.Errorf("LuaJIT accepts this file, and the parser says %v:\n%s", err, all[i])
		case verdict == "ok":
			accepted++
		case !errors.As(err, &syntax):
			t.Errorf("LuaJIT says %q, and the parser says %v:\n%s", verdict, err, all[i])
		case lineOf(verdict) < syntax.Pos.Line || lineOf(verdict) > syntax.LuaJITLine:
			t.Errorf("LuaJIT says %q, and the parser says %v:\n%s", verdict, err, all[i])
		default:
			rejected++
		}
	}
	t.Logf("%d files accepted, %d rejected", accepted, rejected)
	if accepted < mutations || rejected < mutations {
		t.Error("the mutations are of one kind")
	}
}

// corpus returns the files in testdata and the project's plugins.
func corpus(t *testing.T) [][]byte {
	t.Helper()
	var files [][]byte
	for _, pattern := range []string{"testdata/*.lua", "../fixtures/plugins/*/*.lua", "../fixtures/plugins/*/*/*.lua"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("no files %s: %v", pattern, err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, content)
		}
	}
	return files
}

// compile returns the answer of LuaJIT for each file.
func compile(t *testing.T, files [][]byte) []string {
	t.Helper()
	luajit := os.Getenv("KONGDAO_LUAJIT")
	if luajit == "" {
		t.Fatal("KONGDAO_LUAJIT is not set to the program luajit: run 'make test'")
	}
	folder := t.TempDir()
	for i, file := range files {
		if err := os.WriteFile(filepath.Join(folder, strconv.Itoa(i+1)), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output, err := exec.CommandContext(t.Context(), luajit, "compile.lua", folder, strconv.Itoa(len(files))).Output()
	if err != nil {
		t.Fatalf("luajit: %v", err)
	}
	lines := strings.Split(strings.TrimSuffix(string(output), "\n"), "\n")
	if len(lines) != len(files) {
		t.Fatalf("LuaJIT prints %d lines for %d files", len(lines), len(files))
	}
	return lines
}

var linePattern = regexp.MustCompile(`/\d+:(\d+): `)

// lineOf returns the line in LuaJIT's error.
func lineOf(verdict string) int {
	match := linePattern.FindStringSubmatch(verdict)
	if match == nil {
		return -1
	}
	line, _ := strconv.Atoi(match[1])
	return line
}

var tokenPattern = regexp.MustCompile(`(?s)[A-Za-z_]+|[0-9.]+|\s+|.`)

// insertions are tokens that change what a file means.
var insertions = strings.Fields(`end do then ( ) { } [ ] [[ ]] [=[ ]=] -- --[[ " ' \ ; :: , . .. ... = == ~= # - not
and or nil 1 0x
1e 0b1 1LL 1i return break goto local function if for in while repeat until else elseif x y :`)

// mutate deletes, doubles, swaps, inserts or copies tokens.
func mutate(random *rand.Rand, file []byte, files [][]byte) []byte {
	tokens := tokenPattern.FindAll(file, -1)
	for range 1 + random.IntN(3) {
		if len(tokens) == 0 {
			break
		}
		i, j := random.IntN(len(tokens)), random.IntN(len(tokens))
		switch random.IntN(6) {
		case 0:
			tokens = append(tokens[:i:i], tokens[i+1:]...)
		case 1:
			tokens = append(tokens[:i:i], append([][]byte{tokens[i]}, tokens[i:]...)...)
		case 2:
			tokens[i], tokens[j] = tokens[j], tokens[i]
		case 3, 4:
			inserted := []byte(fmt.Sprintf(" %s ", insertions[random.IntN(len(insertions))]))
			tokens = append(tokens[:i:i], append([][]byte{inserted}, tokens[i:]...)...)
		case 5:
			other := tokenPattern.FindAll(files[random.IntN(len(files))], -1)
			if len(other) > 0 {
				tokens[i] = other[random.IntN(len(other))]
			}
		}
	}
	return bytes.Join(tokens, nil)
}

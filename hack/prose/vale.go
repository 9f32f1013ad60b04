package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode"
)

// vale checks words and sentences by the rules in styles.
type vale struct{ program, config string }

// alert is one result in vale's JSON.
type alert struct {
	Check   string
	Message string
	Line    int
	Span    [2]int
}

// check runs vale on the prose of all documents. Each document becomes a plain text with one block on every fourth
// line. Its lines map back to the blocks.
func (v vale) check(ctx context.Context, docs []*document) (found []finding, err error) {
	dir, err := os.MkdirTemp("", "kongdao-prose-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sources := map[string]source{}
	for i, doc := range docs {
		for kind, blocks := range map[string][]block{"prose": doc.prose.done, "message": doc.messages.done} {
			if len(blocks) == 0 {
				continue
			}
			name := filepath.Join(dir, fmt.Sprintf("%d.%s.txt", i, kind))
			sources[name] = source{doc.path, blocks}
			if err := os.WriteFile(name, []byte(plain(blocks)), 0o600); err != nil {
				return nil, err
			}
		}
	}
	if len(sources) == 0 {
		return nil, nil
	}
	output, err := v.run(ctx, dir)
	if err != nil {
		return nil, err
	}
	var alerts map[string][]alert
	if err := json.Unmarshal(output, &alerts); err != nil {
		return nil, fmt.Errorf("read the output of vale: %w: %s", err, output)
	}
	for name, list := range alerts {
		for _, alert := range list {
			found = append(found, sources[name].finding(alert))
		}
	}
	return found, nil
}

func (v vale) run(ctx context.Context, dir string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	//nolint:gosec // the program that hack/vale built
	command := exec.CommandContext(ctx, v.program, "--no-global", "--no-exit", "--output=JSON", "--config="+v.config, dir)
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: run hack/prose.sh, which builds it", err)
		}
		return nil, fmt.Errorf("run %s: %w: %s%s", v.program, err, &stdout, &stderr)
	}
	return stdout.Bytes(), nil
}

// linesPerBlock are the lines of a block in plain: its text, an empty line, a short sentence, and another empty line.
// Without that sentence, vale joins a block that ends in an unusual word to the next one.
const linesPerBlock = 4

// plain returns the text that vale reads.
func plain(blocks []block) string {
	var text strings.Builder
	for _, block := range blocks {
		text.WriteString(sentence(block.text))
		text.WriteString("\n\nEnd.\n\n")
	}
	return text.String()
}

// sentence begins a block with a capital letter and ends it with a full stop. Otherwise vale joins it to the next one.
func sentence(text []rune) string {
	first := string(unicode.ToUpper(text[0])) + string(text[1:])
	if strings.HasSuffix(first, ".") {
		return first
	}
	return first + "."
}

// source is where the text of one of vale's files comes from.
type source struct {
	path   string
	blocks []block
}

func (s source) finding(a alert) finding {
	block := s.blocks[min(max((a.Line-1)/linesPerBlock, 0), len(s.blocks)-1)]
	at := block.at[min(max(a.Span[0]-1, 0), len(block.at)-1)]
	return finding{path: s.path, position: at, message: a.Message, rule: strings.TrimPrefix(a.Check, "Kongdao.")}
}

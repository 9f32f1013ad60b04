// Command prose checks the language of comments, pages and messages, the length of lines, and the facts that comments
// cite. Run it by hack/prose.sh, which builds vale.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
)

const usage = `usage: hack/prose.sh [PATH...]

It checks the whole tree, or the files and folders that you name.`

func main() {
	program := flag.String("vale", "vale", "the vale program")
	config := flag.String("config", "hack/prose/vale.ini", "the configuration of vale")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), usage)
	}
	flag.Parse()
	root, err := os.Getwd()
	if err != nil {
		fail(err)
	}
	paths := flag.Args()
	if len(paths) == 0 {
		paths = []string{"."}
	}
	found, err := check(context.Background(), root, vale{*program, *config}, paths)
	if err != nil {
		fail(err)
	}
	for _, finding := range found {
		fmt.Println(finding)
	}
	if len(found) > 0 {
		fmt.Fprintf(os.Stderr, "prose: %d findings\n", len(found))
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "prose:", err)
	os.Exit(2)
}

// check returns all findings in the files below the paths of root, in the order of the files.
func check(ctx context.Context, root string, vale vale, paths []string) ([]finding, error) {
	names, err := find(root, paths)
	if err != nil {
		return nil, err
	}
	defined, err := definedFacts(root)
	if err != nil {
		return nil, fmt.Errorf("read the facts: %w", err)
	}
	var docs []*document
	var found []finding
	for _, name := range names {
		if extractor(name) == nil {
			continue
		}
		doc, err := read(root, name)
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
		found = append(found, checkColumns(doc)...)
		found = append(found, checkFacts(doc, defined)...)
	}
	words, err := vale.check(ctx, docs)
	if err != nil {
		return nil, err
	}
	found = append(found, words...)
	slices.SortFunc(found, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column),
			cmp.Compare(a.rule, b.rule), cmp.Compare(a.message, b.message))
	})
	return slices.Compact(found), nil
}

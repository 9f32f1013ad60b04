package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"kongdao.io/kongdao/pkg/checks"
	"kongdao.io/kongdao/pkg/lintreport"
)

const lintLong = `Check plugins as Kong would, without running them.

lint checks the folders that you name, the ConfigMaps in files (-f), or the ConfigMaps in a cluster (-n or -A). Each
finding has a place, Kong's words, and what you can do. For a plugin that was written for an older Kong, lint also lists
what to change, in order. See https://kongdao.io/docs/rules for the rules.

The exit code is 0 if there are no errors, 1 if there are, and 2 if lint cannot check something.`

const lintExample = `  # Check a folder for Kong 3.4
  kubectl kongdao lint ./dao-test --kong-version 3.4

  # Check all plugins in a namespace
  kubectl kongdao lint -n kong

  # Show findings in a pull request on GitHub
  kubectl kongdao lint ./plugins/* -o github --fail-on warning

  # Check that an image has all modules that the plugin needs
  docker run --rm kong:3.9 sh -c 'find / -name "*.lua" 2>/dev/null' > modules.txt
  kubectl kongdao lint ./dao-test --kong-modules modules.txt`

// Exit codes of lint.
const (
	exitFindings    = 1
	exitCannotCheck = 2
)

// maxModulesInFile limits the file of --kong-modules, in bytes.
const maxModulesInFile = 10 << 20

// exitError is an error with an exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// errFindings ends lint after it has printed its findings.
var errFindings = errors.New("there are findings")

// linter checks plugins.
type linter struct {
	streams    genericiooptions.IOStreams
	connection clusterFlags
	namespaces *namespaceFlags

	name, kongVersion, modulesFile, failOn, output string
	files, exclude                                 []string
	recursive, allNamespaces                       bool

	version checks.KongVersion
	modules map[string]bool
}

func newLintCommand(streams genericiooptions.IOStreams, namespaces *namespaceFlags) *cobra.Command {
	l := &linter{streams: streams, namespaces: namespaces}
	command := &cobra.Command{
		Use:     "lint [DIR...]",
		Short:   "Check plugins in folders, manifests or the cluster",
		Long:    lintLong,
		Example: lintExample,
		RunE: func(command *cobra.Command, folders []string) error {
			err := l.run(command.Context(), folders)
			if err != nil && !errors.Is(err, errFindings) {
				return &exitError{exitCannotCheck, err}
			}
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&l.name, "name", "", "Name of the plugin in the folder. The default is the name of the folder")
	flags.StringArrayVar(&l.exclude, "exclude", nil,
		"Pattern of files to leave out, as in .kongdaoignore. You can repeat the flag")
	flags.StringArrayVarP(&l.files, "filename", "f", nil,
		"File, folder, or - for standard input, with ConfigMaps. You can repeat the flag")
	flags.BoolVarP(&l.recursive, "recursive", "R", false, "Also read the subfolders of folders given with -f")
	flags.BoolVarP(&l.allNamespaces, "all-namespaces", "A", false,
		"Check the ConfigMaps in all namespaces of the cluster")
	flags.StringVar(&l.modulesFile, "kong-modules", "",
		"File with the modules of Kong's image, or the paths of their files, one per line. With it, other modules are errors")
	flags.StringVar(&l.failOn, "fail-on", string(checks.Error),
		"Least severity that makes lint fail: error, warning or note")
	flags.StringVarP(&l.output, "output", "o", "text", "Output format: "+strings.Join(lintreport.Formats(), ", "))
	addKongVersionFlag(flags, &l.kongVersion)
	completeValues(command, "output", lintreport.Formats()...)
	completeValues(command, "fail-on", string(checks.Error), string(checks.Warning), string(checks.Note))
	l.connection.add(flags, namespaces)
	return command
}

func (l *linter) run(ctx context.Context, folders []string) error {
	if err := l.validate(folders); err != nil {
		return err
	}
	report, err := l.check(ctx, folders)
	if err != nil {
		return err
	}
	text, err := report.Format(l.output, isColored(l.streams.Out))
	if err != nil {
		return err
	}
	if _, err := l.streams.Out.Write(text); err != nil {
		return err
	}
	if report.Has(checks.Severity(l.failOn)) {
		return &exitError{exitFindings, errFindings}
	}
	return nil
}

// validate reads the flags.
func (l *linter) validate(folders []string) error {
	var errs []error
	var err error
	if l.version, err = parseKongVersion(l.kongVersion); err != nil {
		errs = append(errs, err)
	}
	if !checks.Severity(l.failOn).IsValid() {
		errs = append(errs, fmt.Errorf("--fail-on is %q; use error, warning or note", l.failOn))
	}
	if len(folders) > 1 && l.name != "" {
		errs = append(errs, fmt.Errorf("--name applies to one folder, but there are %d; check each folder separately",
			len(folders)))
	}
	if len(folders)+len(l.files) > 0 && l.allNamespaces {
		errs = append(errs, errors.New("-A checks the cluster; remove it, or the folders and files"))
	}
	if l.modulesFile != "" {
		if l.modules, err = readModules(l.modulesFile); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// readModules reads the names of modules, or the paths of their files.
func readModules(file string) (map[string]bool, error) {
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxModulesInFile {
		return nil, fmt.Errorf("--kong-modules %q has more than %d bytes; list only the Lua files of the image",
			file, maxModulesInFile)
	}
	text, err := os.ReadFile(file) //nolint:gosec // the user chooses the file
	if err != nil {
		return nil, fmt.Errorf("--kong-modules %q: %w", file, withoutPath(err))
	}
	modules := checks.ModuleNames(strings.Split(string(text), "\n"))
	if len(modules) == 0 {
		return nil, fmt.Errorf("--kong-modules %q has no modules; write one module or path of a Lua file per line", file)
	}
	return modules, nil
}

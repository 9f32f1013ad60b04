package main

import (
	"strings"
	"testing"
	"time"
)

// TestValidate checks that each mistake is reported with its flag, and that valid options are accepted.
func TestValidate(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*Options)
		// want is a part of the error, or "" for valid options.
		want string
	}{
		"migrations and policies": {func(*Options) {}, ""},
		"only migrations":         {func(o *Options) { o.Policies = false }, ""},
		"only policies":           {func(o *Options) { o.Migrations = false }, ""},
		"nothing to do": {func(o *Options) { o.Migrations, o.Policies = false, false },
			"--migrations, --policies: the controller has nothing to do"},
		"no namespace": {func(o *Options) { o.Namespace = "" },
			`--namespace "": invalid namespace, and it must contain the Lease`},
		"invalid log level": {func(o *Options) { o.LogLevel = "warn" }, `--log-level "warn": `},
		"invalid namespace selector": {func(o *Options) { o.NamespaceSelector = "team in (" },
			`--namespace-selector: namespace selector "team in (": `},
		"two definitions of namespaces": {func(o *Options) {
			o.Policies, o.NamespaceSelector, o.WatchNamespaces = false, "team=a", []string{"kong"}
		}, "--namespace-selector: cannot be used with --watch-namespaces"},
		"namespace selector": {func(o *Options) { o.NamespaceSelector = "team=a,stage notin (test)" }, ""},
		"migration timeout 0": {func(o *Options) { o.MigrationTimeout = 0 },
			"--migration-timeout 0s: must be at least 1s"},
		"deadline before timeout": {func(o *Options) { o.MigrationDeadline = time.Minute },
			"--migration-deadline 1m0s: must be at least --migration-timeout (10m0s)"},
		"job retention 0": {func(o *Options) { o.JobRetention = 0 }, "--job-retention 0s: must be at least 1s"},
		"negative finish delay": {func(o *Options) { o.FinishDelay = -time.Second },
			"--finish-delay -1s: must be at least 0s"},
		"negative history": {func(o *Options) { o.MigrationHistory = -1 }, "--migration-history -1: must be at least 0"},
		"invalid label": {func(o *Options) { o.JobLabels = map[string]string{"a b": "c"} },
			`--job-labels "a b=c": invalid label`},
		"invalid annotation": {func(o *Options) { o.JobAnnotations = map[string]string{"/": "c"} },
			`--job-annotations "/": invalid annotation name`},
		"policies in some namespaces": {func(o *Options) { o.WatchNamespaces = []string{"kong"} },
			"--policies: cannot be used with --watch-namespaces"},
		"keep no release": {func(o *Options) { o.Prune, o.PruneKeep = true, 0 }, "--prune-keep 0: must be at least 1"},
		"negative age": {func(o *Options) { o.Prune, o.PruneMinAge = true, -time.Second },
			"--prune-min-age -1s: must be at least 0s"},
		"prune without a pause": {func(o *Options) { o.Prune, o.PruneInterval = true, 0 },
			"--prune-interval 0s: must be at least 1s"},
		"unused prune options": {func(o *Options) { o.PruneKeep = 0 }, ""},
		"invalid object selector": {func(o *Options) { o.ObjectSelector = "app in (" },
			`--object-selector: object selector "app in (": `},
		"copy retention 0": {func(o *Options) { o.CopyRetention = 0 }, "--copy-retention 0s: must be at least 1s"},
		"invalid configuration": {func(o *Options) { o.WebhookConfiguration = "A" },
			`--webhook-configuration "A": invalid name`},
		"unused migration options": {func(o *Options) { o.Migrations, o.MigrationTimeout = false, 0 }, ""},
		"unused policy options":    {func(o *Options) { o.Policies, o.CopyRetention = false, 0 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			options := DefaultOptions()
			options.Namespace, options.Migrations, options.Policies = "kongdao-system", true, true
			test.edit(&options)
			err := options.Validate()
			if (err == nil) != (test.want == "") || err != nil &&
				(!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

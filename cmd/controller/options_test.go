package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"kongdao.io/kongdao/pkg/process"
)

// TestFlags checks that every option has one flag, and that the flag sets only this option. Labels and annotations of
// Jobs have two.
func TestFlags(t *testing.T) {
	const secondFlags = 2
	tests := map[string]struct {
		value string
		set   func(*Options)
	}{
		"kubeconfig":            {"/tmp/config", func(o *Options) { o.Kubeconfig = "/tmp/config" }},
		"namespace":             {"kongdao", func(o *Options) { o.Namespace = "kongdao" }},
		"metrics-address":       {"0", func(o *Options) { o.MetricsAddress = "0" }},
		"health-address":        {"localhost:1", func(o *Options) { o.HealthAddress = "localhost:1" }},
		"profiling-address":     {":6060", func(o *Options) { o.ProfilingAddress = ":6060" }},
		"log-level":             {"debug", func(o *Options) { o.LogLevel = "debug" }},
		"watch-namespaces":      {"kong,other", func(o *Options) { o.WatchNamespaces = []string{"kong", "other"} }},
		"object-selector":       {"app=kong", func(o *Options) { o.ObjectSelector = "app=kong" }},
		"namespace-selector":    {"team=a", func(o *Options) { o.NamespaceSelector = "team=a" }},
		"webhook-configuration": {"other", func(o *Options) { o.WebhookConfiguration = "other" }},

		"prune":              {"true", func(o *Options) { o.Prune = true }},
		"prune-keep":         {"5", func(o *Options) { o.PruneKeep = 5 }},
		"prune-min-age":      {"2h", func(o *Options) { o.PruneMinAge = 2 * time.Hour }},
		"prune-interval":     {"2m", func(o *Options) { o.PruneInterval = 2 * time.Minute }},
		"rollouts":           {"true", func(o *Options) { o.Rollouts = true }},
		"policies":           {"true", func(o *Options) { o.Policies = true }},
		"copy-retention":     {"1h", func(o *Options) { o.CopyRetention = time.Hour }},
		"keep-ca-bundle":     {"false", func(o *Options) { o.KeepCABundle = false }},
		"migrations":         {"true", func(o *Options) { o.Migrations = true }},
		"migration-timeout":  {"1m", func(o *Options) { o.MigrationTimeout = time.Minute }},
		"migration-deadline": {"2h", func(o *Options) { o.MigrationDeadline = 2 * time.Hour }},
		"finish-delay":       {"9s", func(o *Options) { o.FinishDelay = 9 * time.Second }},
		"migration-history":  {"3", func(o *Options) { o.MigrationHistory = 3 }},
		"job-retention":      {"1h", func(o *Options) { o.JobRetention = time.Hour }},
		"job-labels":         {"a=b,c=d", func(o *Options) { o.JobLabels = map[string]string{"a": "b", "c": "d"} }},
		"job-annotations":    {"a/b=c", func(o *Options) { o.JobAnnotations = map[string]string{"a/b": "c"} }},
		"job-label":          {"a=b", func(o *Options) { o.JobLabels = map[string]string{"a": "b"} }},
		"job-annotation": {`a/b=c="d,e",f=`, func(o *Options) {
			o.JobAnnotations = map[string]string{"a/b": `c="d,e",f=`}
		}},
	}
	common := reflect.TypeFor[process.Options]().NumField() - 1 // without the embedded struct itself
	if options := reflect.TypeFor[Options]().NumField() + common; len(tests) != options+secondFlags {
		t.Errorf("%d flags are tested, but there are %d options", len(tests), options)
	}
	newFlags := func(options *Options) *pflag.FlagSet {
		flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
		options.AddFlags(flags)
		return flags
	}
	newFlags(new(Options)).VisitAll(func(flag *pflag.Flag) {
		if _, tested := tests[flag.Name]; !tested || flag.Usage == "" {
			t.Errorf("--%s is not tested, or has no help text", flag.Name)
		}
	})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, want := DefaultOptions(), DefaultOptions()
			test.set(&want)
			if err := newFlags(&got).Parse([]string{"--" + name + "=" + test.value}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestPairsOfJobs checks that the flags with one pair and with several pairs can be combined, and that a pair without
// an equals sign is a mistake.
func TestPairsOfJobs(t *testing.T) {
	options := DefaultOptions()
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	options.AddFlags(flags)
	if err := flags.Parse([]string{"--job-labels=a=1,b=2", "--job-label=c=3", "--job-label=d="}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "1", "b": "2", "c": "3", "d": ""}, options.JobLabels); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := flags.Parse([]string{"--job-annotation=a"}); err == nil || !strings.Contains(err.Error(), "name=value") {
		t.Errorf("a pair without a value: got %v", err)
	}
}

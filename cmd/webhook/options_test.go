package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// TestFlags proves that every option has one flag, which sets it and no other.
func TestFlags(t *testing.T) {
	tests := map[string]struct {
		value string
		set   func(*Options)
	}{
		"kubeconfig":       {"/tmp/config", func(o *Options) { o.Kubeconfig = "/tmp/config" }},
		"host":             {"127.0.0.1", func(o *Options) { o.Host = "127.0.0.1" }},
		"port":             {"8443", func(o *Options) { o.Port = 8443 }},
		"cert-provider":    {"self", func(o *Options) { o.CertProvider = "self" }},
		"cert-issuer":      {"Issuer/x", func(o *Options) { o.CertIssuer = "Issuer/x" }},
		"namespace":        {"kongdao", func(o *Options) { o.Namespace = "kongdao" }},
		"cert-secret":      {"secret", func(o *Options) { o.CertSecret = "secret" }},
		"cert-service":     {"service", func(o *Options) { o.CertService = "service" }},
		"cert-names":       {"a.example.com,b", func(o *Options) { o.CertNames = []string{"a.example.com", "b"} }},
		"ca-lifetime":      {"48h", func(o *Options) { o.CALifetime = 48 * time.Hour }},
		"cert-lifetime":    {"24h", func(o *Options) { o.CertLifetime = 24 * time.Hour }},
		"cert-dir":         {"/certs", func(o *Options) { o.CertDir = "/certs" }},
		"cert-name":        {"cert", func(o *Options) { o.CertName = "cert" }},
		"key-name":         {"key", func(o *Options) { o.KeyName = "key" }},
		"client-ca":        {"ca.crt", func(o *Options) { o.ClientCA = "ca.crt" }},
		"tls-min-version":  {"1.3", func(o *Options) { o.TLSMinVersion = "1.3" }},
		"metrics-address":  {"0", func(o *Options) { o.MetricsAddress = "0" }},
		"health-address":   {"localhost:1", func(o *Options) { o.HealthAddress = "localhost:1" }},
		"watch-namespaces": {"kong,other", func(o *Options) { o.WatchNamespaces = []string{"kong", "other"} }},
		"log-level":        {"debug", func(o *Options) { o.LogLevel = "debug" }},
		"shutdown-timeout": {"2m", func(o *Options) { o.ShutdownTimeout = 2 * time.Minute }},

		"policies":           {"true", func(o *Options) { o.Policies = true }},
		"copy-retention":     {"1h", func(o *Options) { o.CopyRetention = time.Hour }},
		"migrations":         {"true", func(o *Options) { o.Migrations = true }},
		"migration-timeout":  {"1m", func(o *Options) { o.MigrationTimeout = time.Minute }},
		"migration-deadline": {"2h", func(o *Options) { o.MigrationDeadline = 2 * time.Hour }},
		"migration-history":  {"3", func(o *Options) { o.MigrationHistory = 3 }},
		"job-retention":      {"1h", func(o *Options) { o.JobRetention = time.Hour }},
		"job-labels":         {"a=b,c=d", func(o *Options) { o.JobLabels = map[string]string{"a": "b", "c": "d"} }},
		"job-annotations":    {"a/b=c", func(o *Options) { o.JobAnnotations = map[string]string{"a/b": "c"} }},

		"profiling-address":     {":6060", func(o *Options) { o.ProfilingAddress = ":6060" }},
		"webhook-configuration": {"other", func(o *Options) { o.WebhookConfiguration = "other" }},
	}
	if options := reflect.TypeFor[Options]().NumField(); len(tests) != options {
		t.Errorf("%d flags are tested, and there are %d options", len(tests), options)
	}
	parse := func(arguments ...string) Options {
		options := DefaultOptions()
		flags := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
		options.AddFlags(flags)
		if err := flags.Parse(arguments); err != nil {
			t.Errorf("%q: %v", arguments, err)
		}
		flags.VisitAll(func(flag *pflag.Flag) {
			if _, tested := tests[flag.Name]; !tested {
				t.Errorf("--%s is not tested", flag.Name)
			}
			if flag.Usage == "" {
				t.Errorf("--%s says nothing of itself", flag.Name)
			}
		})
		return options
	}
	if diff := cmp.Diff(DefaultOptions(), parse()); diff != "" {
		t.Errorf("without flags (-want +got)\n%s", diff)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want := DefaultOptions()
			test.set(&want)
			if diff := cmp.Diff(want, parse("--"+name, test.value)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// validOptions are the defaults, with files that are there.
func validOptions(t *testing.T) Options {
	t.Helper()
	options := DefaultOptions()
	options.CertDir = t.TempDir()
	for _, name := range []string{"tls.crt", "tls.key", "ca.crt", "kubeconfig"} {
		if err := os.WriteFile(filepath.Join(options.CertDir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return options
}

// TestValidate proves that each mistake is told with its flag, and that what
// is none is not.
func TestValidate(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*Options)
		// want is a part of the error; "" for none.
		want string
	}{
		"defaults":             {func(*Options) {}, ""},
		"all that is optional": {func(o *Options) { o.ClientCA, o.Kubeconfig = "ca.crt", filepath.Join(o.CertDir, "kubeconfig") }, ""},
		"nothing else served":  {func(o *Options) { o.MetricsAddress, o.HealthAddress = "0", "0" }, ""},
		"other addresses":      {func(o *Options) { o.MetricsAddress, o.HealthAddress = "[::1]:80", "localhost:http" }, ""},
		"port 0":               {func(o *Options) { o.Port = 0 }, "--port 0: "},
		"port too high":        {func(o *Options) { o.Port = 65536 }, "--port 65536: "},
		"no kubeconfig there":  {func(o *Options) { o.Kubeconfig = "/does/not/exist" }, "--kubeconfig: stat /does/not/exist: "},
		"no certificate there": {func(o *Options) { o.CertName = "other.crt" }, "--cert-name: stat "},
		"no key there":         {func(o *Options) { o.KeyName = "other.key" }, "--key-name: stat "},
		"no CA there":          {func(o *Options) { o.ClientCA = "other.crt" }, "--client-ca: stat "},
		"no name":              {func(o *Options) { o.CertName = "" }, `--cert-name "": not the name of a file in --cert-dir`},
		"absolute name":        {func(o *Options) { o.KeyName = "/etc/passwd" }, `--key-name "/etc/passwd": not the name of a file in --cert-dir`},
		"name outside":         {func(o *Options) { o.ClientCA = "../ca.crt" }, `--client-ca "../ca.crt": not the name of a file in --cert-dir`},
		"another provider":     {func(o *Options) { o.CertProvider = "acme" }, `--cert-provider "acme": neither self, cert-manager nor files`},
		"no files needed":      {func(o *Options) { o.CertProvider, o.Namespace, o.CertDir = "self", "kongdao-system", "/does/not/exist" }, ""},
		"an issuer": {func(o *Options) {
			o.CertProvider, o.Namespace, o.CertDir, o.CertIssuer = "cert-manager", "x", "/none", "ClusterIssuer/a.b"
		}, ""},
		"half an issuer":         {func(o *Options) { o.CertProvider, o.Namespace, o.CertIssuer = "cert-manager", "x", "Issuer" }, `--cert-issuer "Issuer": not of the form`},
		"no issuer":              {func(o *Options) { o.CertProvider, o.Namespace, o.CertIssuer = "cert-manager", "x", "Pod/a" }, `--cert-issuer "Pod/a": not of the form`},
		"no namespace":           {func(o *Options) { o.CertProvider = "self" }, `--namespace "": no name of an object`},
		"files need none":        {func(o *Options) { o.CertSecret = "" }, ""},
		"a secret's bad name":    {func(o *Options) { o.CertProvider, o.Namespace, o.CertSecret = "self", "x", "A" }, `--cert-secret "A": no name of an object`},
		"a bad DNS name":         {func(o *Options) { o.CertProvider, o.Namespace, o.CertNames = "self", "x", []string{"a b"} }, `--cert-names "a b": no DNS name`},
		"too short to rotate":    {func(o *Options) { o.CertProvider, o.Namespace, o.CertLifetime = "self", "x", time.Second }, "--cert-lifetime 1s: shorter than 30s"},
		"a CA that ends first":   {func(o *Options) { o.CertProvider, o.Namespace, o.CALifetime = "self", "x", time.Hour }, "--ca-lifetime 1h0m0s: shorter than --cert-lifetime"},
		"old TLS":                {func(o *Options) { o.TLSMinVersion = "1.1" }, `--tls-min-version "1.1": `},
		"no metrics address":     {func(o *Options) { o.MetricsAddress = "" }, `--metrics-address "": `},
		"health port alone":      {func(o *Options) { o.HealthAddress = "8081" }, `--health-address "8081": `},
		"profiling port alone":   {func(o *Options) { o.ProfilingAddress = "6060" }, `--profiling-address "6060": `},
		"no namespace's name":    {func(o *Options) { o.WatchNamespaces = []string{"kong", "a.b"} }, `--watch-namespaces "a.b": no namespace's name`},
		"unknown level":          {func(o *Options) { o.LogLevel = "warn" }, `--log-level "warn": `},
		"no time to shut down":   {func(o *Options) { o.ShutdownTimeout = 0 }, "--shutdown-timeout 0s: "},
		"no time to migrate":     {func(o *Options) { migrating(o).MigrationTimeout = 0 }, "--migration-timeout 0s: shorter than a second"},
		"no time to try":         {func(o *Options) { migrating(o).MigrationDeadline = time.Minute }, "--migration-deadline 1m0s: shorter than --migration-timeout, which is 10m0s"},
		"Jobs that never stay":   {func(o *Options) { migrating(o).JobRetention = 0 }, "--job-retention 0s: shorter than a second"},
		"less than no history":   {func(o *Options) { migrating(o).MigrationHistory = -1 }, "--migration-history -1: less than none"},
		"no label":               {func(o *Options) { migrating(o).JobLabels = map[string]string{"a b": "c"} }, `--job-labels "a b=c": no label`},
		"no annotation":          {func(o *Options) { migrating(o).JobAnnotations = map[string]string{"/": "c"} }, `--job-annotations "/": no annotation's name`},
		"no place for the lease": {func(o *Options) { migrating(o).Namespace = "" }, `--namespace "": no namespace's name, and --migrations keeps its lease there`},
		"migrations":             {func(o *Options) { migrating(o) }, ""},
		"no place for policies":  {func(o *Options) { o.Policies = true }, `--namespace "": no namespace's name, and --policies keeps its lease there`},
		"policies of a few":      {func(o *Options) { o.Policies, o.Namespace, o.WatchNamespaces = true, "x", []string{"kong"} }, "--policies and --watch-namespaces: policies are for a whole cluster"},
		"copies that never stay": {func(o *Options) { o.Policies, o.Namespace, o.CopyRetention = true, "x", 0 }, "--copy-retention 0s: shorter than a second"},
		"policies":               {func(o *Options) { o.Policies, o.Namespace = true, "x" }, ""},
		"none":                   {func(o *Options) { o.MigrationTimeout, o.JobRetention = 0, 0 }, ""},
		"less than no time left": {func(o *Options) { o.ShutdownTimeout = -time.Second }, "--shutdown-timeout -1s: "},
	} {
		t.Run(name, func(t *testing.T) {
			options := validOptions(t)
			test.edit(&options)
			err := options.Validate()
			if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("got %v and not %q", err, test.want)
			}
		})
	}
}

// migrating are options of a webhook that runs migrations.
func migrating(options *Options) *Options {
	options.Migrations, options.Namespace = true, "kongdao-system"
	return options
}

// TestValidateAll proves that all mistakes are told at once, in one order.
func TestValidateAll(t *testing.T) {
	options := Options{CertProvider: certFiles, Kubeconfig: "/does/not/exist", CertName: "a", KeyName: "/b", ClientCA: "c", CertDir: "/does/not/exist"}
	var flags []string
	for mistake := range strings.SplitSeq(options.Validate().Error(), "\n") {
		flag, _, _ := strings.Cut(strings.ReplaceAll(mistake, ":", " "), " ")
		flags = append(flags, flag)
	}
	want := []string{
		"--cert-name", "--client-ca", "--health-address", "--key-name", "--kubeconfig", "--log-level",
		"--metrics-address", "--port", "--profiling-address", "--shutdown-timeout", "--tls-min-version",
	}
	if diff := cmp.Diff(want, flags); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// validOptions returns the default options with files that exist.
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

// TestValidate checks that each mistake is reported with its flag, and that valid options are accepted.
func TestValidate(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*Options)
		// want is a part of the error, or "" for valid options.
		want string
	}{
		"defaults": {func(*Options) {}, ""},
		"all optional files": {func(o *Options) {
			o.ClientCA, o.Kubeconfig = "ca.crt", filepath.Join(o.CertDir, "kubeconfig")
		}, ""},
		"no metrics, no health": {func(o *Options) { o.MetricsAddress, o.HealthAddress = "0", "0" }, ""},
		"other addresses": {func(o *Options) { o.MetricsAddress, o.HealthAddress = "[::1]:80", "localhost:http" },
			""},
		"port 0":        {func(o *Options) { o.Port = 0 }, "--port 0: "},
		"port too high": {func(o *Options) { o.Port = 65536 }, "--port 65536: "},
		"missing kubeconfig": {func(o *Options) { o.Kubeconfig = "/does/not/exist" },
			"--kubeconfig: stat /does/not/exist: "},
		"missing certificate": {func(o *Options) { o.CertName = "other.crt" }, "--cert-name: stat "},
		"missing key":         {func(o *Options) { o.KeyName = "other.key" }, "--key-name: stat "},
		"missing client CA":   {func(o *Options) { o.ClientCA = "other.crt" }, "--client-ca: stat "},
		"empty file name": {func(o *Options) { o.CertName = "" },
			`--cert-name "": must be the name of a file in --cert-dir`},
		"absolute file name": {func(o *Options) { o.KeyName = "/etc/passwd" },
			`--key-name "/etc/passwd": must be the name of a file in --cert-dir`},
		"file outside the folder": {func(o *Options) { o.ClientCA = "../ca.crt" },
			`--client-ca "../ca.crt": must be the name of a file in --cert-dir`},
		"unknown provider": {func(o *Options) { o.CertProvider = "acme" },
			`--cert-provider "acme": must be self, cert-manager or files`},
		"self needs no files": {func(o *Options) {
			o.CertProvider, o.Namespace, o.CertDir = "self", "kongdao-system", "/does/not/exist"
		}, ""},
		"issuer": {func(o *Options) {
			o.CertProvider, o.Namespace, o.CertDir, o.CertIssuer = "cert-manager", "x", "/none", "ClusterIssuer/a.b"
		}, ""},
		"issuer without name": {func(o *Options) {
			o.CertProvider, o.Namespace, o.CertIssuer = "cert-manager", "x", "Issuer"
		}, `--cert-issuer "Issuer": must have the form`},
		"issuer of unknown kind": {func(o *Options) {
			o.CertProvider, o.Namespace, o.CertIssuer = "cert-manager", "x", "Pod/a"
		}, `--cert-issuer "Pod/a": must have the form`},
		"self needs a namespace": {func(o *Options) { o.CertProvider = "self" }, `--namespace "": invalid name`},
		"files need no Secret":   {func(o *Options) { o.CertSecret = "" }, ""},
		"invalid Secret name": {func(o *Options) { o.CertProvider, o.Namespace, o.CertSecret = "self", "x", "A" },
			`--cert-secret "A": invalid name`},
		"invalid DNS name": {func(o *Options) {
			o.CertProvider, o.Namespace, o.CertNames = "self", "x", []string{"a b"}
		}, `--cert-names "a b": invalid DNS name`},
		"too short to rotate": {func(o *Options) {
			o.CertProvider, o.Namespace, o.CertLifetime = "self", "x", time.Second
		}, "--cert-lifetime 1s: must be at least 30s"},
		"CA expires first": {func(o *Options) {
			o.CertProvider, o.Namespace, o.CALifetime = "self", "x", time.Hour
		}, "--ca-lifetime 1h0m0s: must be at least --cert-lifetime"},
		"old TLS":                     {func(o *Options) { o.TLSMinVersion = "1.1" }, `--tls-min-version "1.1": `},
		"empty metrics address":       {func(o *Options) { o.MetricsAddress = "" }, `--metrics-address "": `},
		"health port without host":    {func(o *Options) { o.HealthAddress = "8081" }, `--health-address "8081": `},
		"profiling port without host": {func(o *Options) { o.ProfilingAddress = "6060" }, `--profiling-address "6060": `},
		"invalid namespace": {func(o *Options) { o.WatchNamespaces = []string{"kong", "a.b"} },
			`--watch-namespaces "a.b": invalid namespace`},
		"unknown log level":       {func(o *Options) { o.LogLevel = "warn" }, `--log-level "warn": `},
		"shutdown timeout 0":      {func(o *Options) { o.ShutdownTimeout = 0 }, "--shutdown-timeout 0s: "},
		"migrations and policies": {func(o *Options) { o.Migrations, o.Policies = true, true }, ""},
		"policies in some namespaces": {func(o *Options) {
			o.Policies, o.Namespace, o.WatchNamespaces = true, "x", []string{"kong"}
		}, "--policies: cannot be used with --watch-namespaces"},
		"admission timeout of Kubernetes' maximum": {func(o *Options) { o.AdmissionTimeout = 30 * time.Second }, ""},
		"long admission timeout": {func(o *Options) { o.AdmissionTimeout = 31 * time.Second },
			"--admission-timeout 31s: must be from 1s to 30s"},
		"negative shutdown timeout": {func(o *Options) { o.ShutdownTimeout = -time.Second }, "--shutdown-timeout -1s: "},
	} {
		t.Run(name, func(t *testing.T) {
			options := validOptions(t)
			test.edit(&options)
			err := options.Validate()
			if (err == nil) != (test.want == "") || err != nil &&
				(!strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// TestValidateReportsAllMistakes checks that all mistakes are reported together, sorted by flag.
func TestValidateReportsAllMistakes(t *testing.T) {
	options := Options{CertProvider: providerFiles, CertName: "a", KeyName: "/b", ClientCA: "c",
		CertDir: "/does/not/exist"}
	options.Kubeconfig = "/does/not/exist"
	var flags []string
	for mistake := range strings.SplitSeq(options.Validate().Error(), "\n") {
		flag, _, _ := strings.Cut(strings.ReplaceAll(mistake, ":", " "), " ")
		flags = append(flags, flag)
	}
	want := []string{
		"--admission-timeout", "--cert-name", "--client-ca", "--health-address", "--key-name", "--kubeconfig",
		"--log-level", "--max-connections", "--metrics-address", "--port", "--profiling-address",
		"--shutdown-timeout", "--tls-min-version",
	}
	if diff := cmp.Diff(want, flags); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

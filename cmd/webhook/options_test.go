package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"kongdao.io/kongdao/pkg/process"
)

// TestFlags checks that every option has one flag, and that the flag sets only this option.
func TestFlags(t *testing.T) {
	tests := map[string]struct {
		value string
		set   func(*Options)
	}{
		"kubeconfig":        {"/tmp/config", func(o *Options) { o.Kubeconfig = "/tmp/config" }},
		"host":              {"127.0.0.1", func(o *Options) { o.Host = "127.0.0.1" }},
		"port":              {"8443", func(o *Options) { o.Port = 8443 }},
		"cert-provider":     {"self", func(o *Options) { o.CertProvider = "self" }},
		"cert-issuer":       {"Issuer/x", func(o *Options) { o.CertIssuer = "Issuer/x" }},
		"namespace":         {"kongdao", func(o *Options) { o.Namespace = "kongdao" }},
		"cert-secret":       {"secret", func(o *Options) { o.CertSecret = "secret" }},
		"cert-service":      {"service", func(o *Options) { o.CertService = "service" }},
		"cert-names":        {"a.example.com,b", func(o *Options) { o.CertNames = []string{"a.example.com", "b"} }},
		"ca-lifetime":       {"48h", func(o *Options) { o.CALifetime = 48 * time.Hour }},
		"cert-lifetime":     {"24h", func(o *Options) { o.CertLifetime = 24 * time.Hour }},
		"cert-dir":          {"/certs", func(o *Options) { o.CertDir = "/certs" }},
		"cert-name":         {"cert", func(o *Options) { o.CertName = "cert" }},
		"key-name":          {"key", func(o *Options) { o.KeyName = "key" }},
		"client-ca":         {"ca.crt", func(o *Options) { o.ClientCA = "ca.crt" }},
		"tls-min-version":   {"1.3", func(o *Options) { o.TLSMinVersion = "1.3" }},
		"metrics-address":   {"0", func(o *Options) { o.MetricsAddress = "0" }},
		"health-address":    {"localhost:1", func(o *Options) { o.HealthAddress = "localhost:1" }},
		"watch-namespaces":  {"kong,other", func(o *Options) { o.WatchNamespaces = []string{"kong", "other"} }},
		"admission-timeout": {"9s", func(o *Options) { o.AdmissionTimeout = 9 * time.Second }},
		"max-connections":   {"9", func(o *Options) { o.MaxConnections = 9 }},
		"log-level":         {"debug", func(o *Options) { o.LogLevel = "debug" }},
		"shutdown-timeout":  {"2m", func(o *Options) { o.ShutdownTimeout = 2 * time.Minute }},

		"rollouts":           {"true", func(o *Options) { o.Rollouts = true }},
		"policies":           {"true", func(o *Options) { o.Policies = true }},
		"migrations":         {"true", func(o *Options) { o.Migrations = true }},
		"require-migrations": {"true", func(o *Options) { o.RequireMigrations = true }},

		"profiling-address":     {":6060", func(o *Options) { o.ProfilingAddress = ":6060" }},
		"webhook-configuration": {"other", func(o *Options) { o.WebhookConfiguration = "other" }},
	}
	common := reflect.TypeFor[process.Options]().NumField() - 1 // without the embedded struct itself
	if options := reflect.TypeFor[Options]().NumField() + common; len(tests) != options {
		t.Errorf("%d flags are tested, but there are %d options", len(tests), options)
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
				t.Errorf("--%s has no help text", flag.Name)
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

package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"kongdao.io/kongdao/test/installation"
)

// TestArguments proves the arguments of the process for each certificate provider, and for watchNamespaces.
func TestArguments(t *testing.T) {
	common := []string{
		"--namespace=$(POD_NAMESPACE)", "--port=9443", "--admission-timeout=5s",
		"--metrics-address=:8080", "--health-address=:8081",
		"--log-level=info", "--shutdown-timeout=30s",
	}
	migrations := []string{
		"--migrations", "--migration-timeout=600s", "--migration-deadline=1800s", "--migration-history=10",
		"--job-retention=86400s",
	}
	policies := []string{"--policies", "--copy-retention=600s"}
	const (
		configuration = "--webhook-configuration=kongdao"
		certificate   = "--cert-secret=kongdao-webhook-certificate"
		service       = "--cert-service=kongdao-webhook"
	)
	for set, want := range map[string][][]string{
		"default": {common, {"--cert-provider=self", certificate, service, configuration}, migrations, policies},
		"namespaced": {
			common, {"--watch-namespaces=kong,kong-staging"},
			{"--cert-provider=self", certificate, service, configuration}, migrations,
		},
		"cert-manager": {
			common, {"--cert-provider=cert-manager", certificate, service, configuration}, migrations, policies,
		},
		"cert-manager-issuer": {
			common, {"--cert-provider=cert-manager", "--cert-secret=kongdao-certificate", service, configuration},
			{"--cert-issuer=ClusterIssuer/company"}, migrations, policies,
		},
		// With files, only policies need the name of the configuration.
		"files": {
			common, {"--cert-provider=files", "--cert-dir=/etc/kongdao/certs", configuration}, migrations, policies,
		},
	} {
		t.Run(set, func(t *testing.T) {
			got := findArguments(t, render(t, valueSets(t)[set]...))
			if diff := cmp.Diff(slices.Concat(want...), got); diff != "" {
				t.Errorf("arguments (-want +got)\n%s", diff)
			}
		})
	}
}

// TestOptionalArguments proves the arguments for Jobs and copies. Large numbers have no exponent. The process gets no
// argument of a disabled part.
func TestOptionalArguments(t *testing.T) {
	full := findArguments(t, render(t, valueSets(t)["full"]...))
	for _, want := range []string{
		"--migrations", "--migration-timeout=3600s", "--migration-deadline=7200s", "--migration-history=3",
		"--job-retention=2592000s", "--job-label=network=database", "--job-annotation=example.com/owner=gateways",
		`--job-annotation=example.com/template={{ with secret "a=b", "c" }}d=e,f{{ end }}`,
		"--policies", "--copy-retention=1209600s",
	} {
		if !slices.Contains(full, want) {
			t.Errorf("%q do not contain %s", full, want)
		}
	}
	bare := strings.Join(findArguments(t, render(t, valueSets(t)["bare"]...)), " ")
	for _, disabled := range []string{"migration", "job", "polic", "copy"} {
		if strings.Contains(bare, disabled) {
			t.Errorf("migrations and policies are disabled, but the arguments are %q", bare)
		}
	}
}

// TestProcessKnowsEveryFlag proves that the process accepts every flag that the chart sets.
func TestProcessKnowsEveryFlag(t *testing.T) {
	webhook, err := installation.Build(t.Context(), "webhook", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		// With --version the process checks its flags, prints its version and exits.
		flags := append(slices.Clone(findArguments(t, objects)), "--version")
		if _, err := runProgram(t, webhook, flags...); err != nil {
			t.Errorf("flags %q: %v", flags, err)
		}
	})
}

package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"kongdao.io/kongdao/test/installation"
)

// TestArguments proves the arguments of both processes for each certificate provider, and for watchNamespaces.
func TestArguments(t *testing.T) {
	common := []string{
		"--namespace=$(POD_NAMESPACE)", "--metrics-address=:8080", "--health-address=:8081", "--log-level=info",
	}
	serving := []string{"--port=9443", "--admission-timeout=5s", "--shutdown-timeout=30s"}
	migrations := []string{
		"--migrations", "--migration-timeout=600s", "--migration-deadline=600s", "--migration-history=10",
		"--job-retention=86400s",
	}
	namespaces := []string{"--watch-namespaces=kong,kong-staging"}
	features := []string{"--migrations", "--policies"}
	const (
		configuration = "--webhook-configuration=kongdao"
		certificate   = "--cert-secret=kongdao-webhook-certificate"
		service       = "--cert-service=kongdao-webhook"
	)
	policies := []string{"--policies", "--copy-retention=600s", configuration}
	type arguments = [][]string
	for set, want := range map[string]map[component]arguments{
		"default": {
			webhook:    {common, serving, {"--cert-provider=self", certificate, service, configuration}, features},
			controller: {common, migrations, policies},
		},
		"namespaced": {
			webhook: {
				common, namespaces, serving, {"--cert-provider=self", certificate, service, configuration}, {"--migrations"},
			},
			controller: {common, namespaces, migrations},
		},
		"cert-manager": {
			webhook:    {common, serving, {"--cert-provider=cert-manager", certificate, service, configuration}, features},
			controller: {common, migrations, policies},
		},
		"cert-manager-issuer": {
			webhook: {
				common, serving, {"--cert-provider=cert-manager", "--cert-secret=kongdao-certificate", service, configuration},
				{"--cert-issuer=ClusterIssuer/company"}, features,
			},
			controller: {common, migrations, policies},
		},
		"files": {
			webhook:    {common, serving, {"--cert-provider=files", "--cert-dir=/etc/kongdao/certs"}, features},
			controller: {common, migrations, policies, {"--keep-ca-bundle=false"}},
		},
	} {
		t.Run(set, func(t *testing.T) {
			objects := render(t, valueSets(t)[set]...)
			for component, want := range want {
				if diff := cmp.Diff(slices.Concat(want...), component.arguments(t, objects)); diff != "" {
					t.Errorf("arguments of the %s (-want +got)\n%s", component, diff)
				}
			}
		})
	}
}

// TestOptionalArguments proves the arguments for Jobs and copies. Large numbers have no exponent. No process gets an
// argument of a disabled part.
func TestOptionalArguments(t *testing.T) {
	full := controller.arguments(t, render(t, valueSets(t)["full"]...))
	for _, want := range []string{
		"--migrations", "--migration-timeout=3600s", "--migration-deadline=7200s", "--migration-history=3",
		"--job-retention=2592000s", "--job-label=network=database", "--job-annotation=example.com/owner=gateways",
		`--job-annotation=example.com/template={{ with secret "a=b", "c" }}d=e,f{{ end }}`,
		"--policies", "--copy-retention=1209600s", "--finish-delay=30s",
	} {
		if !slices.Contains(full, want) {
			t.Errorf("%q do not contain %s", full, want)
		}
	}
	objects := render(t, valueSets(t)["bare"]...)
	bare := strings.Join(webhook.arguments(t, objects), " ")
	for _, disabled := range []string{"migration", "job", "polic", "copy"} {
		if strings.Contains(bare, disabled) {
			t.Errorf("migrations and policies are disabled, but the arguments are %q", bare)
		}
	}
	if left := controller.of(objects); len(left) > 0 {
		t.Errorf("migrations and policies are disabled, but the controller has %s", key(left[0]))
	}
}

// TestProcessesKnowEveryFlag proves that each process accepts every flag that the chart sets.
func TestProcessesKnowEveryFlag(t *testing.T) {
	programs, err := installation.BuildPrograms(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		for component, program := range map[component]string{
			webhook: programs.Webhook, controller: programs.Controller,
		} {
			// With --version the process checks its flags, prints its version and exits.
			flags := append(slices.Clone(component.arguments(t, objects)), "--version")
			if _, err := runProgram(t, program, flags...); err != nil {
				t.Errorf("%s with the flags %q: %v", component, flags, err)
			}
		}
	})
}

package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/test/installation"
)

// TestMistakes proves that values which are wrong are denied with a message
// that names them.
func TestMistakes(t *testing.T) {
	for name, test := range map[string]struct {
		set  []string
		want []string
	}{
		"a typo":                     {[]string{"replicaCout=3"}, []string{"replicaCout", "not allowed"}},
		"a typo further down":        {[]string{"image.tagg=1"}, []string{"/image", "tagg", "not allowed"}},
		"no such policy":             {[]string{"webhook.failurePolicy=fail"}, []string{"/webhook/failurePolicy", "'Fail', 'Ignore'"}},
		"no such provider":           {[]string{"certificates.provider=vault"}, []string{"/certificates/provider", "'self', 'cert-manager', 'files'"}},
		"no replica":                 {[]string{"replicaCount=0"}, []string{"/replicaCount", "minimum"}},
		"a timeout that is too long": {[]string{"webhook.timeoutSeconds=31"}, []string{"/webhook/timeoutSeconds", "maximum"}},
		"half a digest":              {[]string{"image.digest=sha256:abc"}, []string{"/image/digest", "pattern"}},
		"no name of a namespace":     {[]string{"watchNamespaces={Kong}"}, []string{"/watchNamespaces/0", "pattern"}},
		"a flag without dashes":      {[]string{"extraArgs={tls-min-version=1.3}"}, []string{"/extraArgs/0", "pattern"}},
		"a caBundle that is none":    {[]string{"certificates.caBundle=abc"}, []string{"/certificates/caBundle", "pattern"}},
		"its own namespace":          {[]string{"watchNamespaces={kong," + releaseNamespace + "}"}, []string{"watchNamespaces names " + releaseNamespace}},
		"kube-system":                {[]string{"watchNamespaces={kube-system}"}, []string{"watchNamespaces names kube-system"}},
		"files and no Secret":        {[]string{"certificates.provider=files"}, []string{"name the Secret", "certificates.files.secretName"}},
		"a Secret and no files":      {[]string{"certificates.files.secretName=x"}, []string{"certificates.files.secretName is set and certificates.provider is self"}},
		"half an issuer":             {[]string{"certificates.provider=cert-manager", "certificates.certManager.issuer.name=x"}, []string{"needs both kind and name"}},
		"an issuer for nobody":       {[]string{"certificates.certManager.issuer.name=x", "certificates.certManager.issuer.kind=Issuer"}, []string{"certificates.certManager.issuer is set and certificates.provider is self"}},
		"a caBundle for nobody": {
			[]string{"certificates.caBundle=-----BEGIN CERTIFICATE-----x-----END CERTIFICATE-----"},
			[]string{"certificates.caBundle is set and certificates.provider is self"},
		},
		"alerts on nothing":         {[]string{"metrics.enabled=false", "metrics.prometheusRule.enabled=true"}, []string{"metrics.prometheusRule.enabled is true and metrics.enabled is false"}},
		"a deadline before the end": {[]string{"migrations.deadlineSeconds=10"}, []string{"migrations.deadlineSeconds is 10, shorter than migrations.timeoutSeconds, which is 600"}},
		"copies that never stay":    {[]string{"policies.copyRetentionSeconds=0"}, []string{"/policies/copyRetentionSeconds", "minimum"}},
		"no time to migrate":        {[]string{"migrations.timeoutSeconds=0"}, []string{"/migrations/timeoutSeconds", "minimum"}},
		"an account unnamed":        {[]string{"serviceAccount.create=false"}, []string{"serviceAccount.name"}},
		"Kubernetes too old ":       {nil, []string{"kubeVersion: >=1.30.0-0", "incompatible with Kubernetes v1.29.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			flags := []string{"template", release, chartDir, "--namespace", releaseNamespace}
			for _, value := range test.set {
				flags = append(flags, "--set", value)
			}
			if test.set == nil {
				flags = append(flags, "--kube-version", "1.29.0")
			}
			_, err := runHelm(t, flags...)
			if err == nil {
				t.Fatal("is accepted")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
}

// TestSchemaAndValues proves that the schema knows every value and no other:
// what it knows beyond values.yaml nobody would find.
func TestSchemaAndValues(t *testing.T) {
	var schema map[string]any
	text, err := os.ReadFile(filepath.Join(chartDir, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if text, err = os.ReadFile(filepath.Join(chartDir, "values.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, &values); err != nil {
		t.Fatal(err)
	}
	values["global"] = map[string]any{} // Helm's own
	compareWithSchema(t, "", values, schema, schema["definitions"].(map[string]any))
}

func compareWithSchema(t *testing.T, path string, values, schema, definitions map[string]any) {
	t.Helper()
	if reference, is := schema["$ref"].(string); is {
		schema = definitions[strings.TrimPrefix(reference, "#/definitions/")].(map[string]any)
	}
	properties, closed := schema["properties"].(map[string]any)
	if !closed {
		return // a map of the user's own, as labels are
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s/: a typo would be accepted", path)
	}
	for name, property := range properties {
		value, there := values[name]
		inner, isMap := value.(map[string]any)
		switch {
		// A Kubernetes object's fields, of which values.yaml sets some.
		case !there && slices.Contains([]string{"/affinity", "/resources"}, path):
		case !there:
			t.Errorf("%s/%s is in the schema and not in values.yaml", path, name)
		case isMap:
			compareWithSchema(t, path+"/"+name, inner, property.(map[string]any), definitions)
		}
	}
	for name := range values {
		if properties[name] == nil {
			t.Errorf("%s/%s is in values.yaml and not in the schema", path, name)
		}
	}
}

// TestArguments proves which flags the process gets with which certificates.
func TestArguments(t *testing.T) {
	common := []string{
		"--namespace=$(POD_NAMESPACE)", "--port=9443", "--metrics-address=:8080", "--health-address=:8081", "--log-level=info", "--shutdown-timeout=30s",
	}
	const configuration = "--webhook-configuration=kongdao"
	made := []string{"--cert-service=kongdao-webhook", configuration}
	for set, want := range map[string][]string{
		"default":             slices.Concat(common, []string{"--cert-provider=self", "--cert-secret=kongdao-webhook-certificate"}, made),
		"namespaced":          slices.Concat(common, []string{"--watch-namespaces=kong,kong-staging", "--cert-provider=self", "--cert-secret=kongdao-webhook-certificate"}, made),
		"cert-manager":        slices.Concat(common, []string{"--cert-provider=cert-manager", "--cert-secret=kongdao-webhook-certificate"}, made),
		"cert-manager-issuer": slices.Concat(common, []string{"--cert-provider=cert-manager", "--cert-secret=kongdao-certificate"}, made, []string{"--cert-issuer=ClusterIssuer/company"}),
		"files":               slices.Concat(common, []string{"--cert-provider=files", "--cert-dir=/etc/kongdao/certs", configuration}), // for policies
	} {
		t.Run(set, func(t *testing.T) {
			got := find[appsv1.Deployment](t, render(t, valueSets(t)[set]...), "Deployment").Spec.Template.Spec.Containers[0].Args
			want = append(slices.Clone(want), "--migrations", "--migration-timeout=600s", "--migration-deadline=1800s", "--migration-history=10", "--job-retention=86400s")
			if set != "namespaced" {
				want = append(want, "--policies", "--copy-retention=600s")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestFeatureArguments proves what the process is told about Jobs and copies, in
// whole numbers however large they are, and that it is told nothing of what is
// off.
func TestFeatureArguments(t *testing.T) {
	arguments := func(set string) []string {
		return find[appsv1.Deployment](t, render(t, valueSets(t)[set]...), "Deployment").Spec.Template.Spec.Containers[0].Args
	}
	full := arguments("full")
	for _, want := range []string{
		"--migrations", "--migration-timeout=3600s", "--migration-deadline=7200s", "--migration-history=3", "--job-retention=2592000s",
		"--job-labels=network=database", "--job-annotations=example.com/owner=gateways",
		"--policies", "--copy-retention=1209600s",
	} {
		if !slices.Contains(full, want) {
			t.Errorf("%s is not in %q", want, full)
		}
	}
	bare := strings.Join(arguments("bare"), " ")
	for _, off := range []string{"migration", "job", "polic", "copy"} {
		if strings.Contains(bare, off) {
			t.Errorf("migrations and policies are off: %q", bare)
		}
	}
}

// TestFlags proves that the process knows every flag that the chart gives it.
func TestFlags(t *testing.T) {
	program, err := installation.Build(t.Context(), "webhook", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		// Flags are read, and denied, before the version is said.
		flags := find[appsv1.Deployment](t, objects, "Deployment").Spec.Template.Spec.Containers[0].Args
		if _, err := runProgram(t, program, append(slices.Clone(flags), "--version")...); err != nil {
			t.Errorf("%q: %v", flags, err)
		}
	})
}

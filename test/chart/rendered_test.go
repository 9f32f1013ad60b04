package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/test/installation"
)

// TestLeastRights proves that no right is wider than it must be.
func TestLeastRights(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		for _, role := range findAll[rbacv1.ClusterRole](t, objects, "ClusterRole") {
			for _, rule := range role.Rules {
				checkRule(t, role.Name, rule)
				if slices.Contains(rule.Resources, "secrets") {
					t.Errorf("ClusterRole %s reaches the Secrets of all namespaces: %v", role.Name, rule)
				}
				if set == "namespaced" && !slices.Equal(rule.Resources, []string{"mutatingwebhookconfigurations"}) {
					t.Errorf("ClusterRole %s reaches beyond watchNamespaces: %v", role.Name, rule)
				}
			}
		}
		var namespaces []string
		for _, role := range findAll[rbacv1.Role](t, objects, "Role") {
			namespaces = append(namespaces, role.Namespace)
			for _, rule := range role.Rules {
				checkRule(t, role.Name, rule)
				if !slices.Contains(rule.Resources, "secrets") {
					continue
				}
				if role.Namespace != releaseNamespace {
					t.Errorf("Role %s reaches Secrets of %s", role.Name, role.Namespace)
				}
				if len(rule.ResourceNames) != 1 && !slices.Equal(rule.Verbs, []string{"create"}) {
					t.Errorf("Role %s reaches Secrets that are not kongdao's: %v", role.Name, rule)
				}
			}
		}
		slices.Sort(namespaces)
		want := []string{releaseNamespace}
		switch set {
		case "namespaced":
			want = []string{"kong", "kong-staging", releaseNamespace}
		case "files":
			want = nil
		}
		if diff := cmp.Diff(want, namespaces); diff != "" {
			t.Errorf("namespaces with Roles (-want +got)\n%s", diff)
		}
	})
}

func checkRule(t *testing.T, role string, rule rbacv1.PolicyRule) {
	t.Helper()
	if slices.Contains(slices.Concat(rule.APIGroups, rule.Resources, rule.Verbs, rule.ResourceNames), "*") {
		t.Errorf("%s: a star grants what nobody thought of: %v", role, rule)
	}
	if slices.Contains(rule.Verbs, "delete") || slices.Contains(rule.Verbs, "deletecollection") {
		t.Errorf("%s may delete: %v", role, rule)
	}
}

// TestEveryRightHasItsReason proves that whoever reads the rendered manifests
// reads of each rule what it is for.
func TestEveryRightHasItsReason(t *testing.T) {
	for set, flags := range valueSets(t) {
		text, err := runHelm(t, append([]string{"template", release, chartDir}, flags...)...)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			if strings.HasPrefix(line, "  - apiGroups:") && !strings.HasPrefix(lines[i-1], "  # ") {
				t.Errorf("%s: line %d has no comment above it: %s", set, i+1, line)
			}
		}
	}
}

// TestBindings proves that every role is bound, and to the account of the pods.
func TestBindings(t *testing.T) {
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		account := rbacv1.Subject{
			Kind: rbacv1.ServiceAccountKind, Namespace: releaseNamespace,
			Name: find[appsv1.Deployment](t, objects, "Deployment").Spec.Template.Spec.ServiceAccountName,
		}
		bound := map[string]int{}
		check := func(namespace, name string, role rbacv1.RoleRef, subjects []rbacv1.Subject) {
			bound[role.Kind+" "+namespace+" "+role.Name]++
			if !slices.Equal(subjects, []rbacv1.Subject{account}) {
				t.Errorf("%s binds %v, want %v", name, subjects, account)
			}
		}
		for _, binding := range findAll[rbacv1.ClusterRoleBinding](t, objects, "ClusterRoleBinding") {
			check("", binding.Name, binding.RoleRef, binding.Subjects)
		}
		for _, binding := range findAll[rbacv1.RoleBinding](t, objects, "RoleBinding") {
			check(binding.Namespace, binding.Name, binding.RoleRef, binding.Subjects)
		}
		roles := map[string]int{}
		for _, object := range objects {
			if kind := object.GetKind(); kind == "Role" || kind == "ClusterRole" {
				roles[kind+" "+object.GetNamespace()+" "+object.GetName()]++
			}
		}
		if diff := cmp.Diff(roles, bound); diff != "" {
			t.Errorf("roles and what is bound of them (-roles +bound)\n%s", diff)
		}
	})
}

// TestWebhooks proves what the API server is told: no caBundle but one that was
// given, a Service that is there, and neither kube-system nor the release's own
// namespace, whatever the values say.
func TestWebhooks(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		service := find[corev1.Service](t, objects, "Service")
		configuration := find[admissionregistrationv1.MutatingWebhookConfiguration](t, objects, "MutatingWebhookConfiguration")
		if len(configuration.Webhooks) != 2 {
			t.Fatalf("%d webhooks", len(configuration.Webhooks))
		}
		for _, webhook := range configuration.Webhooks {
			called := webhook.ClientConfig
			if given := called.CABundle != nil; given != (set == "files") {
				t.Errorf("%s: caBundle %q", webhook.Name, called.CABundle)
			}
			if called.Service.Name != service.Name || called.Service.Namespace != service.Namespace || *called.Service.Port != service.Spec.Ports[0].Port {
				t.Errorf("%s: calls %+v, and the Service is %s", webhook.Name, called.Service, service.Name)
			}
			selector, err := metav1.LabelSelectorAsSelector(webhook.NamespaceSelector)
			if err != nil {
				t.Fatal(err)
			}
			var seen []string
			for _, namespace := range []string{"kube-system", releaseNamespace, "default", "kong", "kong-staging"} {
				if selector.Matches(labels.Set{corev1.LabelMetadataName: namespace, "team": "gateways"}) {
					seen = append(seen, namespace)
				}
			}
			want := []string{"default", "kong", "kong-staging"}
			if set == "namespaced" {
				want = want[1:]
			}
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Errorf("%s: namespaces (-want +got)\n%s", webhook.Name, diff)
			}
			if narrowed := webhook.ObjectSelector != nil; narrowed != (set == "full") {
				t.Errorf("%s: objectSelector %v", webhook.Name, webhook.ObjectSelector)
			}
		}
	})
}

// TestNarrowedNamespaces proves that a selector of one's own comes on top.
func TestNarrowedNamespaces(t *testing.T) {
	configuration := find[admissionregistrationv1.MutatingWebhookConfiguration](t, render(t, valueSets(t)["full"]...), "MutatingWebhookConfiguration")
	selector, err := metav1.LabelSelectorAsSelector(configuration.Webhooks[0].NamespaceSelector)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		labels labels.Set
		want   bool
	}{
		{labels.Set{corev1.LabelMetadataName: "kong", "team": "gateways"}, true},
		{labels.Set{corev1.LabelMetadataName: "kong"}, false},
		{labels.Set{corev1.LabelMetadataName: "kong", "team": "gateways", "kongdao.example.com/off": ""}, false},
		{labels.Set{corev1.LabelMetadataName: "kube-system", "team": "gateways"}, false},
	} {
		if got := selector.Matches(test.labels); got != test.want {
			t.Errorf("%v: %v", test.labels, got)
		}
	}
}

// TestSelectors proves that whatever selects pods selects those of the
// Deployment, that ports which are named are there, and that a pod of the test
// is none of theirs.
func TestSelectors(t *testing.T) {
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		deployment := find[appsv1.Deployment](t, objects, "Deployment")
		pod := labels.Set(deployment.Spec.Template.Labels)
		test := labels.Set(find[corev1.Pod](t, objects, "Pod").Labels)
		selectors := map[string]*metav1.LabelSelector{
			"Deployment": deployment.Spec.Selector,
			"Service":    {MatchLabels: find[corev1.Service](t, objects, "Service").Spec.Selector},
		}
		for _, budget := range findAll[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget") {
			selectors["PodDisruptionBudget"] = budget.Spec.Selector
		}
		for _, policy := range findAll[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy") {
			selectors["NetworkPolicy"] = &policy.Spec.PodSelector
		}
		for _, spread := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
			if spread.TopologyKey == corev1.LabelTopologyZone {
				selectors["spread"] = spread.LabelSelector
			}
		}
		for name, labelSelector := range selectors {
			selector, err := metav1.LabelSelectorAsSelector(labelSelector)
			if err != nil {
				t.Fatal(err)
			}
			if selector.Empty() || !selector.Matches(pod) || selector.Matches(test) {
				t.Errorf("%s selects %v", name, selector)
			}
		}
		ports := map[string]bool{}
		for _, port := range deployment.Spec.Template.Spec.Containers[0].Ports {
			ports[port.Name] = true
		}
		for _, port := range find[corev1.Service](t, objects, "Service").Spec.Ports {
			if !ports[port.TargetPort.String()] {
				t.Errorf("the Service's port %s leads nowhere", port.Name)
			}
		}
		for _, policy := range findAll[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy") {
			for _, rule := range policy.Spec.Ingress {
				for _, port := range rule.Ports {
					if !ports[port.Port.String()] {
						t.Errorf("the NetworkPolicy's port %s is none of the pods'", port.Port)
					}
				}
			}
		}
		if want := set != "bare"; ports["metrics"] != want {
			t.Errorf("a port of metrics: %v", ports["metrics"])
		}
	})
}

// TestMistakes proves that values which are wrong are refused with a message
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
		"alerts on nothing":   {[]string{"metrics.enabled=false", "metrics.prometheusRule.enabled=true"}, []string{"metrics.prometheusRule.enabled is true and metrics.enabled is false"}},
		"an account unnamed":  {[]string{"serviceAccount.create=false"}, []string{"serviceAccount.name"}},
		"Kubernetes too old ": {nil, []string{"kubeVersion: >=1.30.0-0", "incompatible with Kubernetes v1.29.0"}},
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
	made := []string{"--cert-service=kongdao-webhook", "--webhook-configuration=kongdao"}
	for set, want := range map[string][]string{
		"default":             slices.Concat(common, []string{"--cert-provider=self", "--cert-secret=kongdao-webhook-certificate"}, made),
		"namespaced":          slices.Concat(common, []string{"--watch-namespaces=kong,kong-staging", "--cert-provider=self", "--cert-secret=kongdao-webhook-certificate"}, made),
		"cert-manager":        slices.Concat(common, []string{"--cert-provider=cert-manager", "--cert-secret=kongdao-webhook-certificate"}, made),
		"cert-manager-issuer": slices.Concat(common, []string{"--cert-provider=cert-manager", "--cert-secret=kongdao-certificate"}, made, []string{"--cert-issuer=ClusterIssuer/company"}),
		"files":               slices.Concat(common, []string{"--cert-provider=files", "--cert-dir=/etc/kongdao/certs"}),
	} {
		t.Run(set, func(t *testing.T) {
			got := find[appsv1.Deployment](t, render(t, valueSets(t)[set]...), "Deployment").Spec.Template.Spec.Containers[0].Args
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestFlags proves that the process knows every flag that the chart gives it.
func TestFlags(t *testing.T) {
	program, err := installation.Build(t.Context(), "webhook", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	forEachSet(t, func(t *testing.T, _ string, objects []*unstructured.Unstructured) {
		// Flags are read, and refused, before the version is said.
		flags := find[appsv1.Deployment](t, objects, "Deployment").Spec.Template.Spec.Containers[0].Args
		if _, err := runProgram(t, program, append(slices.Clone(flags), "--version")...); err != nil {
			t.Errorf("%q: %v", flags, err)
		}
	})
}

// TestNames proves that names which the values make long are still names, and
// that a release by another name stands beside the first.
func TestNames(t *testing.T) {
	long := strings.Repeat("long-", 10) + "name" // as long as Helm lets a release's be
	for _, name := range []string{"other", long[:53]} {
		text, err := runHelm(t, "template", name, chartDir, "--namespace", releaseNamespace)
		if err != nil {
			t.Fatal(err)
		}
		first := map[string]bool{}
		for _, object := range render(t) {
			first[key(object)] = true
		}
		for _, object := range decode(t, text) {
			if first[key(object)] {
				t.Errorf("release %s has %s, as the first has", name, key(object))
			}
			if length := len(object.GetName()); length > 63 && object.GetKind() == "Service" {
				t.Errorf("Service %s: %d letters", object.GetName(), length)
			}
		}
	}
}

// TestInjection proves of what `helm test` makes that the injection, and nothing
// else, gives its container the variable without which a kubelet does not start
// it.
func TestInjection(t *testing.T) {
	folder := t.TempDir()
	program, err := installation.Build(t.Context(), "kubectl-kongdao", folder)
	if err != nil {
		t.Fatal(err)
	}
	text, err := runHelm(t, "template", release, chartDir, "--namespace", releaseNamespace, "--show-only", "templates/tests/injection.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "test.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	injected, err := runProgram(t, program, "inject", "-f", file)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ text, want string }{"before": {text, ""}, "after": {injected, "bundled,kongdao-test"}} {
		container := find[corev1.Pod](t, decode(t, test.text), "Pod").Spec.Containers[0]
		got := ""
		for _, variable := range container.Env {
			if variable.Name == "KONG_PLUGINS" {
				got = variable.Value
			}
		}
		if got != test.want || container.VolumeMounts[0].SubPathExpr != "$(KONG_PLUGINS)" {
			t.Errorf("%s: KONG_PLUGINS is %q, mounts %+v", name, got, container.VolumeMounts)
		}
	}
}

// TestImage proves how the image is named.
func TestImage(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for set, want := range map[string]string{
		"image.tag=":             "kongdao.io/kongdao:0.1.0",
		"image.tag=1.2.3":        "kongdao.io/kongdao:1.2.3",
		"image.digest=" + digest: "kongdao.io/kongdao@" + digest,
		"image.repository=example.com:5000/kongdao": "example.com:5000/kongdao:0.1.0",
	} {
		got := find[appsv1.Deployment](t, render(t, "--set", set), "Deployment").Spec.Template.Spec.Containers[0].Image
		if got != want {
			t.Errorf("%s: %s, want %s", set, got, want)
		}
	}
}

// TestKustomize proves that deploy/kustomize/base is what Helm renders, beside
// the namespace, and nothing that says Helm manages it.
func TestKustomize(t *testing.T) {
	kubectl := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	text, err := runProgram(t, kubectl, "kustomize", filepath.Join(chartDir, "..", "..", "kustomize", "base"))
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]any{}, map[string]any{}
	for _, object := range render(t, "--skip-tests") {
		withoutHelm(t, object.Object)
		want[key(object)] = object.Object
	}
	for _, object := range decode(t, text) {
		got[key(object)] = object.Object
	}
	namespace := "Namespace /" + releaseNamespace
	if got[namespace] == nil {
		t.Errorf("no %s among %v", namespace, slices.Sorted(maps.Keys(got)))
	}
	delete(got, namespace)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-helm +kustomize)\n%s", diff)
	}
}

func withoutHelm(t *testing.T, object map[string]any) {
	t.Helper()
	for name, value := range object {
		inner, isMap := value.(map[string]any)
		switch {
		case slices.Contains([]string{"helm.sh/chart", "app.kubernetes.io/managed-by"}, name):
			delete(object, name)
		case isMap:
			withoutHelm(t, inner)
		}
	}
}

func key(object *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %s/%s", object.GetKind(), object.GetNamespace(), object.GetName())
}

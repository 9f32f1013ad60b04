package chart

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"kongdao.io/kongdao/pkg/admission"
	"kongdao.io/kongdao/pkg/migratecontroller"
	"kongdao.io/kongdao/pkg/policycontroller"
	"kongdao.io/kongdao/test/installation"
)

// The fields of the Prometheus operator's kinds that the chart uses. Decoding is strict: a misspelt field is an error.
type (
	serviceMonitor struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              struct {
			Selector  metav1.LabelSelector `json:"selector"`
			Endpoints []struct {
				Port     string `json:"port"`
				Interval string `json:"interval"`
			} `json:"endpoints"`
		} `json:"spec"`
	}
	prometheusRule struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
		Spec              struct {
			Groups []struct {
				Name  string  `json:"name"`
				Rules []alert `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	alert struct {
		Alert       string            `json:"alert"`
		Expr        string            `json:"expr"`
		For         string            `json:"for"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	}
)

// TestServiceMonitorSelectsMetricsPort proves that the ServiceMonitor selects the metrics port of the Service and has
// the labels of the values.
func TestServiceMonitorSelectsMetricsPort(t *testing.T) {
	objects := render(t, valueSets(t)["full"]...)
	monitor, service := find[serviceMonitor](t, objects, "ServiceMonitor"), find[corev1.Service](t, objects, "Service")
	selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	if !selector.Matches(labels.Set(service.Labels)) || monitor.Namespace != service.Namespace {
		t.Errorf("the ServiceMonitor selects %v, which does not match the Service with labels %v", selector, service.Labels)
	}
	endpoints, port := monitor.Spec.Endpoints, service.Spec.Ports[1].Name
	if len(endpoints) != 1 || endpoints[0].Port != port || endpoints[0].Interval != "30s" {
		t.Errorf("endpoints are %+v, want port %s every 30s", endpoints, port)
	}
	if monitor.Labels["release"] != "prometheus" || monitor.APIVersion != "monitoring.coreos.com/v1" {
		t.Errorf("apiVersion is %s, labels are %v", monitor.APIVersion, monitor.Labels)
	}
}

// TestAlertsAreComplete proves that every alert has a severity, a summary, a description and a section in
// docs/operations.md, and queries only metrics that exist.
func TestAlertsAreComplete(t *testing.T) {
	operations, err := os.ReadFile(filepath.Join(installation.Root(), "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		flags []string
		team  string
	}{
		{valueSets(t)["full"], "gateways"},
		{[]string{"--set", "metrics.prometheusRule.enabled=true"}, ""},
	} {
		rule := find[prometheusRule](t, render(t, test.flags...), "PrometheusRule")
		groups := rule.Spec.Groups
		if rule.APIVersion != "monitoring.coreos.com/v1" || len(groups) != 1 || len(groups[0].Rules) == 0 {
			t.Fatalf("got %+v, want one group with rules", rule)
		}
		for _, alert := range groups[0].Rules {
			severity := alert.Labels["severity"]
			if !slices.Contains([]string{"critical", "warning", "info"}, severity) || alert.Labels["team"] != test.team {
				t.Errorf("%s: labels are %v", alert.Alert, alert.Labels)
			}
			if alert.Annotations["summary"] == "" || alert.Annotations["description"] == "" || len(alert.Annotations) != 2 {
				t.Errorf("%s: annotations are %v, want a summary and a description", alert.Alert, alert.Annotations)
			}
			if !strings.Contains(string(operations), "\n### "+alert.Alert+"\n") {
				t.Errorf("docs/operations.md has no section for %s", alert.Alert)
			}
			checkQuery(t, alert.Alert, alert.Expr)
		}
	}
}

// TestCertificateAlertNamesTheSource proves that the alert exists unless you provide the certificate, and that it says
// where the cause of a missed renewal is.
func TestCertificateAlertNamesTheSource(t *testing.T) {
	for set, want := range map[string]string{
		"bare":         "`kubectl logs -n kongdao-system deployment/kongdao-webhook` shows why",
		"cert-manager": "`kubectl describe certificates -n kongdao-system` shows why",
		"files":        "",
	} {
		flags := append(valueSets(t)[set], "--set", "metrics.enabled=true", "--set", "metrics.prometheusRule.enabled=true")
		rule := find[prometheusRule](t, render(t, flags...), "PrometheusRule")
		description := ""
		for _, alert := range rule.Spec.Groups[0].Rules {
			if alert.Alert == "KongdaoCertificateExpiring" {
				description = alert.Annotations["description"]
			}
		}
		if !strings.Contains(description, want) || (description == "") != (want == "") {
			t.Errorf("values %s: the description is %q, want it to contain %q", set, description, want)
		}
	}
}

// TestPolicyAlerts proves the conditions of the alerts about policies, and that they exist only where policies do.
func TestPolicyAlerts(t *testing.T) {
	const own = `job="kongdao-webhook", namespace="` + releaseNamespace + `"`
	for name, test := range map[string]struct {
		flags []string
		want  map[string]alert
	}{
		"policies enabled": {nil, map[string]alert{
			"KongdaoPolicyDeniesPods": {
				Expr: `sum by (policy) (increase(kongdao_policy_admissions_total{` + own + `, effect="denied"}[15m])) > 0`,
				For:  "15m", Labels: map[string]string{"severity": "warning"},
			},
			"KongdaoPodsOutdated": {
				Expr: `max by (policy) (kongdao_policy_pods{` + own + `, state="lacking"}) > 0`,
				For:  "24h", Labels: map[string]string{"severity": "info"},
			},
			"KongdaoPodsWaitingForLibrary": {
				Expr: `max(kongdao_library_waiting_pods{` + own + `}) > 0`,
				For:  "10m", Labels: map[string]string{"severity": "warning"},
			},
		}},
		"policies disabled":     {[]string{"--set", "policies.enabled=false"}, map[string]alert{}},
		"namespaces are listed": {[]string{"--set", "watchNamespaces={kong}"}, map[string]alert{}},
	} {
		t.Run(name, func(t *testing.T) {
			objects := render(t, append(test.flags, "--set", "metrics.prometheusRule.enabled=true")...)
			got := map[string]alert{}
			for _, rule := range find[prometheusRule](t, objects, "PrometheusRule").Spec.Groups[0].Rules {
				if strings.Contains(rule.Expr, "kongdao_policy_") || strings.Contains(rule.Expr, "kongdao_library_") {
					got[rule.Alert] = alert{Expr: rule.Expr, For: rule.For, Labels: rule.Labels}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("alerts (-want +got)\n%s", diff)
			}
		})
	}
}

// TestAPIServerMetricsSelectAllWebhooks proves that queries of the API servers' metrics select every webhook of kongdao
// and no other.
func TestAPIServerMetricsSelectAllWebhooks(t *testing.T) {
	objects := render(t,
		"--set", "metrics.prometheusRule.enabled=true", "--set", "metrics.dashboard.enabled=true", "--skip-tests")
	text := find[corev1.ConfigMap](t, objects, "ConfigMap").Data["kongdao.json"]
	for _, rule := range find[prometheusRule](t, objects, "PrometheusRule").Spec.Groups[0].Rules {
		text += "\n" + rule.Expr
	}
	query := regexp.MustCompile(`apiserver_admission_webhook_[a-z_]+\{name=~\\?"([^"\\]+)`)
	selectors := query.FindAllStringSubmatch(text, -1)
	if len(selectors) != 4 {
		t.Fatalf("%d queries of API server metrics, want 4", len(selectors))
	}
	webhooks := []string{"policies.kongdao.io"} // The controller adds it while policies add plugins.
	for _, webhook := range mainConfiguration(t, objects).Webhooks {
		webhooks = append(webhooks, webhook.Name)
	}
	for _, selector := range selectors {
		name := regexp.MustCompile("^(?:" + selector[1] + ")$") // Prometheus anchors expressions like this.
		for _, webhook := range webhooks {
			if !name.MatchString(webhook) {
				t.Errorf("%s does not select %s", selector[1], webhook)
			}
		}
		if name.MatchString("pods.example.com") {
			t.Errorf("%s selects webhooks of others", selector[1])
		}
	}
}

// TestDashboard proves that the dashboard is valid JSON, queries only metrics that exist, and that its panels do not
// overlap.
func TestDashboard(t *testing.T) {
	objects := render(t, "--set", "metrics.dashboard.enabled=true", "--skip-tests")
	configMap := find[corev1.ConfigMap](t, objects, "ConfigMap")
	if configMap.Labels["grafana_dashboard"] != "1" {
		t.Errorf("labels are %v, want grafana_dashboard", configMap.Labels)
	}
	var dashboard struct {
		Panels []struct {
			ID          int
			Title, Type string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(configMap.Data["kongdao.json"]), &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	taken := map[[2]int]string{}
	for i, panel := range dashboard.Panels {
		if panel.ID != i+1 || (len(panel.Targets) == 0) != (panel.Type == "row") {
			t.Errorf("panel %q has the id %d and %d targets", panel.Title, panel.ID, len(panel.Targets))
		}
		grid := panel.GridPos
		if grid.W <= 0 || grid.H <= 0 || grid.X+grid.W > 24 {
			t.Errorf("panel %q is at %+v, outside the 24 columns of Grafana", panel.Title, grid)
		}
		for x := range grid.W {
			for y := range grid.H {
				cell := [2]int{grid.X + x, grid.Y + y}
				if taken[cell] != "" {
					t.Fatalf("panel %q overlaps panel %q", panel.Title, taken[cell])
				}
				taken[cell] = panel.Title
			}
		}
		for _, target := range panel.Targets {
			checkQuery(t, panel.Title, target.Expr)
		}
	}
}

// checkQuery fails the test if the query of an alert or a panel has no metric, or one that does not exist.
func checkQuery(t *testing.T, title, query string) {
	t.Helper()
	known := exportedMetrics(t)
	names := regexp.MustCompile(`\b([a-z]+(?:_[a-z]+)+|up)\{`).FindAllStringSubmatch(query, -1)
	if len(names) == 0 {
		t.Errorf("%s: the query %s has no metric", title, query)
	}
	for _, name := range names {
		if base := strings.TrimSuffix(name[1], "_bucket"); !known[base] {
			t.Errorf("%s: the metric %s does not exist", title, base)
		}
	}
}

// exportedMetrics returns the names of kongdao's own metrics, and of the metrics about kongdao that others export.
func exportedMetrics(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{
		// Prometheus.
		"up": true,
		// pkg/certs.
		"kongdao_certificate_expiration_timestamp_seconds": true,
		// controller-runtime.
		"controller_runtime_webhook_requests_total":     true,
		"controller_runtime_webhook_requests_in_flight": true,
		// The API server.
		"apiserver_admission_webhook_rejection_count": true,
		"apiserver_admission_webhook_fail_open_count": true,
		// The process collector, which exports these on Linux only.
		"process_resident_memory_bytes": true,
		"process_cpu_seconds_total":     true,
	}
	registry := &nameRegistry{known: known}
	_, errAdmission := admission.NewMetrics(registry)
	_, errMigrations := migratecontroller.NewMetrics(registry, nil, nil)
	_, errPolicies := policycontroller.NewMetrics(registry, nil)
	if err := errors.Join(errAdmission, errMigrations, errPolicies); err != nil {
		t.Fatal(err)
	}
	return known
}

// nameRegistry is a Prometheus registry that records only the names of metrics.
type nameRegistry struct {
	prometheus.Registerer
	known map[string]bool
}

// Register records the names of the collector's metrics.
func (n *nameRegistry) Register(collector prometheus.Collector) error {
	descriptions := make(chan *prometheus.Desc, 10)
	collector.Describe(descriptions)
	close(descriptions)
	for description := range descriptions {
		name := regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(description.String())
		n.known[name[1]] = true
	}
	return nil
}

package chart

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"kongdao.io/kongdao/pkg/admission"
	"kongdao.io/kongdao/test/installation"
)

// The part of the Prometheus operator's kinds that the chart uses: a field
// which is not here is not theirs either.
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

// TestServiceMonitor proves that a Prometheus which follows it finds the port
// of metrics, and is found by the labels that were asked for.
func TestServiceMonitor(t *testing.T) {
	objects := render(t, valueSets(t)["full"]...)
	monitor, service := find[serviceMonitor](t, objects, "ServiceMonitor"), find[corev1.Service](t, objects, "Service")
	selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	if !selector.Matches(labels.Set(service.Labels)) || monitor.Namespace != service.Namespace {
		t.Errorf("it selects %v, not the Service with %v", selector, service.Labels)
	}
	if endpoints := monitor.Spec.Endpoints; len(endpoints) != 1 || endpoints[0].Port != service.Spec.Ports[1].Name || endpoints[0].Interval != "30s" {
		t.Errorf("endpoints: %+v", endpoints)
	}
	if monitor.Labels["release"] != "prometheus" || monitor.APIVersion != "monitoring.coreos.com/v1" {
		t.Errorf("%s %v", monitor.APIVersion, monitor.Labels)
	}
}

// TestAlerts proves that every alert says how bad it is, what it means, and has
// its chapter on what to do.
func TestAlerts(t *testing.T) {
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
		if rule.APIVersion != "monitoring.coreos.com/v1" || len(rule.Spec.Groups) != 1 || len(rule.Spec.Groups[0].Rules) == 0 {
			t.Fatalf("%+v", rule)
		}
		for _, alert := range rule.Spec.Groups[0].Rules {
			severity := alert.Labels["severity"]
			if (severity != "critical" && severity != "warning") || alert.Labels["team"] != test.team {
				t.Errorf("%s: labels %v", alert.Alert, alert.Labels)
			}
			if alert.Annotations["summary"] == "" || alert.Annotations["description"] == "" || len(alert.Annotations) != 2 {
				t.Errorf("%s: annotations %v", alert.Alert, alert.Annotations)
			}
			if !strings.Contains(string(operations), "\n### "+alert.Alert+"\n") {
				t.Errorf("docs/operations.md does not say what to do about %s", alert.Alert)
			}
			checkQuery(t, alert.Alert, alert.Expr)
		}
	}
}

// TestExpiryAlert proves that whoever has kongdao see to the certificate hears
// of one that ends, and is told where to look.
func TestExpiryAlert(t *testing.T) {
	for set, where := range map[string]string{"bare": "Its log", "cert-manager": "The Certificate's status", "files": ""} {
		flags := append(valueSets(t)[set], "--set", "metrics.enabled=true", "--set", "metrics.prometheusRule.enabled=true")
		rule := find[prometheusRule](t, render(t, flags...), "PrometheusRule")
		said := ""
		for _, alert := range rule.Spec.Groups[0].Rules {
			if alert.Alert == "KongdaoCertificateExpires" {
				said = alert.Annotations["description"]
			}
		}
		if !strings.Contains(said, where) || (said == "") != (where == "") {
			t.Errorf("%s: %q, want %q in it", set, said, where)
		}
	}
}

// TestDashboard proves that the ConfigMap's JSON is one, and asks for nothing
// that nobody counts.
func TestDashboard(t *testing.T) {
	found := find[corev1.ConfigMap](t, render(t, "--set", "metrics.dashboard.enabled=true", "--skip-tests"), "ConfigMap")
	if found.Labels["grafana_dashboard"] != "1" {
		t.Errorf("labels %v", found.Labels)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(found.Data["kongdao.json"]), &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) == 0 {
		t.Fatal("no panels")
	}
	for i, panel := range dashboard.Panels {
		if panel.ID != i+1 || len(panel.Targets) == 0 {
			t.Errorf("panel %q: id %d, %d targets", panel.Title, panel.ID, len(panel.Targets))
		}
		for _, target := range panel.Targets {
			checkQuery(t, panel.Title, target.Expr)
		}
	}
}

// checkQuery fails the test for a metric that nobody exports.
func checkQuery(t *testing.T, of, query string) {
	t.Helper()
	known := exported(t)
	names := regexp.MustCompile(`\b([a-z]+(?:_[a-z]+)+|up)\{`).FindAllStringSubmatch(query, -1)
	if len(names) == 0 {
		t.Errorf("%s: no metric in %s", of, query)
	}
	for _, name := range names {
		if base := strings.TrimSuffix(name[1], "_bucket"); !known[base] {
			t.Errorf("%s: nobody exports %s", of, base)
		}
	}
}

// exported are the metrics of the webhook's process, and those of others that
// tell of it.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{
		"up": true, // Prometheus' own
		// pkg/certs'.
		"kongdao_certificate_expiration_timestamp_seconds": true,
		// pkg/migrate/controller's.
		"kongdao_plugin_migrations": true, "kongdao_gated_pods": true, "kongdao_migration_jobs_total": true, "kongdao_migration_failures_total": true,
		// controller-runtime's.
		"controller_runtime_webhook_requests_total": true, "controller_runtime_webhook_requests_in_flight": true,
		// The API server's.
		"apiserver_admission_webhook_rejection_count": true, "apiserver_admission_webhook_fail_open_count": true,
		// Of a process, on Linux alone.
		"process_resident_memory_bytes": true, "process_cpu_seconds_total": true,
	}
	if _, err := admission.NewMetrics(&names{known: known}); err != nil {
		t.Fatal(err)
	}
	return known
}

// names is a registry that keeps the metrics' names.
type names struct {
	prometheus.Registerer
	known map[string]bool
}

func (n *names) Register(collector prometheus.Collector) error {
	descriptions := make(chan *prometheus.Desc, 10)
	collector.Describe(descriptions)
	close(descriptions)
	for description := range descriptions {
		name := regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(description.String())
		n.known[name[1]] = true
	}
	return nil
}

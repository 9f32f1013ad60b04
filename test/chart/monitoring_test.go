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
	migrations "kongdao.io/kongdao/pkg/migratecontroller"
	policies "kongdao.io/kongdao/pkg/policycontroller"
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
			if !slices.Contains([]string{"critical", "warning", "info"}, severity) || alert.Labels["team"] != test.team {
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

// TestAlertsOfPolicies proves when whoever has policies is told of them, and that
// nobody else is.
func TestAlertsOfPolicies(t *testing.T) {
	const own = `job="kongdao-webhook", namespace="` + releaseNamespace + `"`
	for name, test := range map[string]struct {
		flags []string
		want  map[string]alert
	}{
		"policies": {nil, map[string]alert{
			"KongdaoPolicyDenies": {
				Expr: `sum by (policy) (increase(kongdao_policy_admissions_total{` + own + `, effect="denied"}[15m])) > 0`,
				For:  "15m", Labels: map[string]string{"severity": "warning"},
			},
			"KongdaoPodsLack": {
				Expr: `max by (policy) (kongdao_policy_pods{` + own + `, state="lacking"}) > 0`,
				For:  "24h", Labels: map[string]string{"severity": "info"},
			},
			"KongdaoLibraryLacks": {
				Expr: `max(kongdao_library_waiting_pods{` + own + `}) > 0`,
				For:  "10m", Labels: map[string]string{"severity": "warning"},
			},
		}},
		"no policies":     {[]string{"--set", "policies.enabled=false"}, map[string]alert{}},
		"some namespaces": {[]string{"--set", "watchNamespaces={kong}"}, map[string]alert{}},
	} {
		t.Run(name, func(t *testing.T) {
			rule := find[prometheusRule](t, render(t, append(test.flags, "--set", "metrics.prometheusRule.enabled=true")...), "PrometheusRule")
			got := map[string]alert{}
			for _, one := range rule.Spec.Groups[0].Rules {
				if strings.Contains(one.Expr, "kongdao_policy_") || strings.Contains(one.Expr, "kongdao_library_") {
					got[one.Alert] = alert{Expr: one.Expr, For: one.For, Labels: one.Labels}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestCalledWebhooks proves that API servers' own metrics are asked for every
// webhook of ours by which pods or workloads come, and for nobody else's.
func TestCalledWebhooks(t *testing.T) {
	objects := render(t, "--set", "metrics.prometheusRule.enabled=true", "--set", "metrics.dashboard.enabled=true", "--skip-tests")
	text := find[corev1.ConfigMap](t, objects, "ConfigMap").Data["kongdao.json"]
	for _, one := range find[prometheusRule](t, objects, "PrometheusRule").Spec.Groups[0].Rules {
		text += "\n" + one.Expr
	}
	selectors := regexp.MustCompile(`apiserver_admission_webhook_[a-z_]+\{name=~\\?"([^"\\]+)`).FindAllStringSubmatch(text, -1)
	if len(selectors) != 4 {
		t.Fatalf("%d queries of what API servers count, want 4", len(selectors))
	}
	ours := []string{"policies.kongdao.io"} // the controller's, while there are policies
	for _, webhook := range mainConfiguration(t, objects).Webhooks {
		ours = append(ours, webhook.Name)
	}
	for _, selector := range selectors {
		name := regexp.MustCompile("^(?:" + selector[1] + ")$") // as Prometheus does
		for _, webhook := range ours {
			if !name.MatchString(webhook) {
				t.Errorf("%s leaves out %s", selector[1], webhook)
			}
		}
		if name.MatchString("pods.example.com") {
			t.Errorf("%s takes others' in", selector[1])
		}
	}
}

// TestDashboard proves that the ConfigMap's JSON is one, asks for nothing that
// nobody counts, and puts no panel over another.
func TestDashboard(t *testing.T) {
	found := find[corev1.ConfigMap](t, render(t, "--set", "metrics.dashboard.enabled=true", "--skip-tests"), "ConfigMap")
	if found.Labels["grafana_dashboard"] != "1" {
		t.Errorf("labels %v", found.Labels)
	}
	var dashboard struct {
		Panels []struct {
			ID          int
			Title, Type string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(found.Data["kongdao.json"]), &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) == 0 {
		t.Fatal("no panels")
	}
	taken := map[[2]int]string{}
	for i, panel := range dashboard.Panels {
		if panel.ID != i+1 || (len(panel.Targets) == 0) != (panel.Type == "row") {
			t.Errorf("panel %q: id %d, %d targets", panel.Title, panel.ID, len(panel.Targets))
		}
		at := panel.GridPos
		if at.W <= 0 || at.H <= 0 || at.X+at.W > 24 {
			t.Errorf("panel %q: at %+v, and Grafana has 24 columns", panel.Title, at)
		}
		for x := range at.W {
			for y := range at.H {
				cell := [2]int{at.X + x, at.Y + y}
				if taken[cell] != "" {
					t.Fatalf("panel %q lies over %q", panel.Title, taken[cell])
				}
				taken[cell] = panel.Title
			}
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
		// controller-runtime's.
		"controller_runtime_webhook_requests_total": true, "controller_runtime_webhook_requests_in_flight": true,
		// The API server's.
		"apiserver_admission_webhook_rejection_count": true, "apiserver_admission_webhook_fail_open_count": true,
		// Of a process, on Linux alone.
		"process_resident_memory_bytes": true, "process_cpu_seconds_total": true,
	}
	registry := &names{known: known}
	_, errAdmission := admission.NewMetrics(registry)
	_, errMigrations := migrations.NewMetrics(registry, nil, nil)
	_, errPolicies := policies.NewMetrics(registry, nil)
	if err := errors.Join(errAdmission, errMigrations, errPolicies); err != nil {
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

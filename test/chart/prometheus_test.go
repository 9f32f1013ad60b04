package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

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

// TestServiceMonitorsSelectMetricsPort proves that each ServiceMonitor selects the metrics port of its Service, and has
// the labels of the values.
func TestServiceMonitorsSelectMetricsPort(t *testing.T) {
	objects := render(t, valueSets(t)["full"]...)
	checkServiceMonitor(t, webhook.of(objects))
	checkServiceMonitor(t, controller.of(objects))
}

func checkServiceMonitor(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	monitor, service := find[serviceMonitor](t, objects, "ServiceMonitor"), find[corev1.Service](t, objects, "Service")
	selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
	if err != nil {
		t.Fatal(err)
	}
	if !selector.Matches(labels.Set(service.Labels)) || monitor.Namespace != service.Namespace {
		t.Errorf("the ServiceMonitor selects %v, which does not match the Service with labels %v", selector, service.Labels)
	}
	endpoints, port := monitor.Spec.Endpoints, service.Spec.Ports[len(service.Spec.Ports)-1].Name
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
	operations, err := os.ReadFile(filepath.Join(installation.ProjectRoot(), "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		flags []string
		team  string
		// runbooks is the page about the alerts.
		runbooks string
	}{
		{valueSets(t)["full"], "gateways", "https://kongdao.io/docs/operations"},
		{
			[]string{"--set", "metrics.prometheusRule.enabled=true,metrics.prometheusRule.runbookURL=https://wiki/kongdao"}, "",
			"https://wiki/kongdao",
		},
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
			if alert.Annotations["summary"] == "" || alert.Annotations["description"] == "" || len(alert.Annotations) != 3 {
				t.Errorf("%s: annotations are %v, want a summary, a description and a runbook_url", alert.Alert, alert.Annotations)
			}
			runbook := test.runbooks + "#" + strings.ToLower(alert.Alert)
			if got := alert.Annotations["runbook_url"]; got != runbook {
				t.Errorf("%s: runbook_url is %q, want %q", alert.Alert, got, runbook)
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
	const (
		ofWebhook    = `job="kongdao-webhook", namespace="` + releaseNamespace + `"`
		ofController = `job="kongdao-controller", namespace="` + releaseNamespace + `"`
	)
	for name, test := range map[string]struct {
		flags []string
		want  map[string]alert
	}{
		"policies enabled": {nil, map[string]alert{
			"KongdaoPolicyDeniesPods": {
				Expr: `sum by (policy) (increase(kongdao_policy_admissions_total{` + ofWebhook + `, effect="denied"}[15m])) > 0`,
				For:  "15m", Labels: map[string]string{"severity": "warning"},
			},
			"KongdaoPolicyBypassed": {
				Expr: `max by (policy) (kongdao_policy_uninjected_pods{` + ofController + `}) > 0`,
				For:  "2m", Labels: map[string]string{"severity": "critical"},
			},
			"KongdaoPodsOutdated": {
				Expr: `max by (policy) (kongdao_policy_pods{` + ofController + `, state="outdated"}) > 0`,
				For:  "24h", Labels: map[string]string{"severity": "info"},
			},
			"KongdaoPodsWaitingForLibrary": {
				Expr: `max(kongdao_library_waiting_pods{` + ofController + `}) > 0`,
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
	for _, webhook := range findMainConfiguration(t, objects).Webhooks {
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

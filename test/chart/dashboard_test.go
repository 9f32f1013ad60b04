package chart

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

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

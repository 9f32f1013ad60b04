package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestNotesNameEveryConfiguration proves that the emergency command in the notes deletes every configuration with which
// the API server calls kongdao.
func TestNotesNameEveryConfiguration(t *testing.T) {
	sets := valueSets(t)
	forEachSet(t, func(t *testing.T, set string, objects []*unstructured.Unstructured) {
		notes := runHelmOrFail(t, append([]string{"install", release, chartDir, "--dry-run=client"}, sets[set]...)...)
		_, command, ok := strings.Cut(notes, "\n     kubectl delete mutatingwebhookconfiguration ")
		if !ok {
			t.Fatalf("the notes have no emergency command:\n%s", notes)
		}
		line, _, _ := strings.Cut(command, "\n")
		var want []string
		for _, configuration := range findAll[admissionregistrationv1.MutatingWebhookConfiguration](
			t, objects, "MutatingWebhookConfiguration") {
			want = append(want, configuration.Name)
		}
		got := strings.Fields(line)
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("configurations (-rendered +in the notes)\n%s", diff)
		}
	})
}

// Package explain explains, step by step, what kongdao decides about a pod, and what a pod waits for.
//
//	pod or pod template + state of the cluster --decision.Admit--> steps --Text--> text
//
// The decision is the one that the webhook would make now. The package is pure: kubectl kongdao reads the objects.
package explain

import (
	"fmt"
	"strings"
	"unicode"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/migrate"
)

// Input is a pod with what the decision depends on.
type Input struct {
	// Subject names the pod or the workload: `Deployment "kong/kong"`.
	Subject string
	// Pod is the pod, or the pod template of a workload.
	Pod     decision.Pod
	Cluster decision.Cluster
	// Migrations are the PluginMigrations in the namespace.
	Migrations []v1alpha1.PluginMigration
	// Live is the state of a pod that exists. It is nil for a workload, or for a manifest.
	Live *Live
}

// Live is the state of a pod that exists.
type Live struct {
	Name, Phase string
	// Migration is the PluginMigration that the pod waits for, or has waited for.
	Migration string
	// Gates are its scheduling gates.
	Gates []string
	// IsInjected reports whether the pod has plugins.
	IsInjected bool
}

// Explanation is the explanation of a decision.
type Explanation struct {
	Subject string `json:"subject"`
	Steps   []Step `json:"steps"`
	// IsDenied reports whether the webhook would deny the pod.
	IsDenied bool `json:"isDenied"`
}

// Step is one step of a decision.
type Step struct {
	Title string   `json:"title"`
	Lines []string `json:"lines"`
}

// New explains the decision about a pod.
func New(input Input) (Explanation, error) {
	pod := input.Pod
	pod.View.HasNode, pod.View.Gates = false, nil // as for a new pod
	cluster := input.Cluster
	cluster.IsMigrated = func(_, name string) (bool, error) { return isMigrated(input.Migrations, name), nil }
	cluster.RunsMigrations = true
	admitted, err := decision.Admit(pod, cluster)
	if err != nil {
		return Explanation{}, err
	}
	e := explainer{input: input, pod: pod, admitted: &admitted}
	explanation := Explanation{Subject: input.Subject, IsDenied: len(admitted.Denials) > 0}
	for _, step := range []Step{
		{"Request", e.request()}, {"Policies", e.policies()}, {"Releases", e.releases()}, {"Containers", e.containers()},
		{"Database", e.database()}, {"Decision", e.decision()}, {"Now", e.live()},
	} {
		if len(step.Lines) > 0 {
			explanation.Steps = append(explanation.Steps, step)
		}
	}
	return explanation, nil
}

func isMigrated(migrations []v1alpha1.PluginMigration, name string) bool {
	for i := range migrations {
		if migrations[i].Name == name {
			return migrate.IsMigrated(&migrations[i])
		}
	}
	return false
}

// Text formats an explanation for a terminal. Text from the cluster cannot control the terminal.
func (e Explanation) Text() string {
	var text strings.Builder
	text.WriteString(e.Subject + "\n")
	for _, step := range e.Steps {
		text.WriteString("\n" + step.Title + "\n")
		for _, line := range step.Lines {
			text.WriteString("  " + strings.Map(withoutControl, line) + "\n")
		}
	}
	return text.String()
}

func withoutControl(r rune) rune {
	if unicode.IsControl(r) {
		return '?'
	}
	return r
}

// explainer explains one decision.
type explainer struct {
	input    Input
	pod      decision.Pod
	admitted *decision.Decision
}

// request says which plugins the pod gets, and who requests them.
func (e *explainer) request() []string {
	own, malformed := annotations.Parse(e.pod.View.Annotations)
	requested := annotations.ByName(own.Plugins)
	var lines []string
	for _, plugin := range e.admitted.Request.Plugins {
		source := "a policy gives it"
		if _, isOwn := requested[plugin.Name]; isOwn {
			source = fmt.Sprintf("annotation %s requests it", annotations.Plugins)
		}
		lines = append(lines, fmt.Sprintf("plugin %q: %s", plugin.Name, source))
	}
	if len(malformed) > 0 {
		lines = append(lines, fmt.Sprintf("annotation %s is %q, and malformed", annotations.Plugins,
			e.pod.View.Annotations[annotations.Plugins]))
	}
	if len(lines) == 0 {
		lines = []string{fmt.Sprintf("nothing: the pod has no annotation %s, and no policy gives it plugins",
			annotations.Plugins)}
	}
	return lines
}

// policies says what each policy of the namespace does.
func (e *explainer) policies() []string {
	var lines []string
	for _, selected := range e.input.Cluster.Policies {
		text := "does not change the pod"
		for _, effect := range e.admitted.Effects {
			if effect.Policy == selected.Name {
				text = effectTexts[effect.Kind]
			}
		}
		lines = append(lines, fmt.Sprintf("policy %q %s", selected.Name, text))
	}
	return lines
}

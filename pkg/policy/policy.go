package policy

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"kongdao.io/kongdao/pkg/annotations"
)

// Policy is a PluginPolicy that was compiled. It is immutable.
type Policy struct {
	Name string
	// Audits reports whether the policy is not enforced.
	Audits bool
	// Plugins are the plugins that the policy requires, sorted by name.
	Plugins []annotations.PluginRef
	// Library is the namespace that other namespaces get plugins from, "" for none.
	Library string
	// AutoRollout reports whether workloads move to new releases of the plugins that have no version here.
	AutoRollout bool
	// OptOut reports whether a pod may opt out of the plugins.
	OptOut bool

	namespaces, pods labels.Selector
	allowed          []pattern
}

// selectsNamespace reports whether the policy applies to a namespace with these labels.
func (p *Policy) selectsNamespace(namespaceLabels map[string]string) bool {
	return p.namespaces.Matches(labels.Set(namespaceLabels))
}

// SelectsPod reports whether a Kong pod with these labels gets the plugins, if the policy applies to its namespace.
func (p *Policy) SelectsPod(podLabels map[string]string) bool {
	return p.pods.Matches(labels.Set(podLabels))
}

// ReadsPodLabels reports whether the outcome of the policy depends on a pod's labels.
func (p *Policy) ReadsPodLabels() bool { return len(p.Plugins) > 0 && !p.pods.Empty() }

// allows reports whether an annotation may request a plugin. A request without a version may get any version. It is
// allowed only if every version is: a pattern must have no version, or a version of only stars.
func (p *Policy) allows(ref annotations.PluginRef) bool {
	if len(p.allowed) == 0 {
		return true
	}
	return slices.ContainsFunc(p.allowed, func(allowed pattern) bool { return allowed.matches(ref) })
}

// maxListedPatterns limits the patterns in one message.
const maxListedPatterns = 10

// allowedText lists the allowed patterns for a message.
func (p *Policy) allowedText() string {
	listed := p.allowed[:min(len(p.allowed), maxListedPatterns)]
	texts := make([]string, len(listed))
	for i, allowed := range listed {
		texts[i] = allowed.text
	}
	text := strings.Join(texts, ", ")
	if omitted := len(p.allowed) - len(listed); omitted > 0 {
		text += fmt.Sprintf(" and %d more", omitted)
	}
	return text
}

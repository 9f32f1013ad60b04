package policy

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/denial"
)

// Compile validates a PluginPolicy and makes it a Policy. It checks everything that the CRD checks, because a
// PluginPolicy from a file was not validated. The error names everything that is wrong.
func Compile(object *v1alpha1.PluginPolicy) (*Policy, error) {
	spec := &object.Spec
	var problems problems
	if len(spec.Plugins) == 0 && len(spec.Allowed) == 0 && spec.Library == "" {
		problems.add("the policy has no effect; set at least one of plugins, allowed and library")
	}
	if spec.Mode != "" && spec.Mode != v1alpha1.Enforce && spec.Mode != v1alpha1.Audit {
		problems.add("mode: the value is %s; use %q or %q", denial.Quote(string(spec.Mode)), v1alpha1.Enforce, v1alpha1.Audit)
	}
	if spec.Rollout != "" && spec.Rollout != v1alpha1.RolloutAuto && spec.Rollout != v1alpha1.RolloutManual {
		problems.add("rollout: the value is %s; use %q or %q", denial.Quote(string(spec.Rollout)), v1alpha1.RolloutAuto,
			v1alpha1.RolloutManual)
	}
	if spec.Library != "" && len(validation.IsDNS1123Label(spec.Library)) > 0 {
		problems.add("library: %s is not a valid name of a namespace", denial.Quote(spec.Library))
	}
	policy := &Policy{
		Name:    object.Name,
		Audits:  spec.Mode == v1alpha1.Audit,
		Plugins: problems.plugins(spec.Plugins),
		Library: spec.Library,
		OptOut:  spec.OptOut == nil || *spec.OptOut,

		AutoRollout: spec.Rollout == v1alpha1.RolloutAuto,

		namespaces: problems.selector("namespaceSelector", spec.NamespaceSelector),
		pods:       problems.selector("podSelector", spec.PodSelector),
		allowed:    problems.patterns(spec.Allowed),
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("policy %q: %s", object.Name, strings.Join(problems, "; "))
	}
	return policy, nil
}

// problems lists what is wrong with a PluginPolicy.
type problems []string

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// selector compiles the selector of a field. A missing selector selects everything.
func (p *problems) selector(field string, object *metav1.LabelSelector) labels.Selector {
	if object == nil {
		return labels.Everything()
	}
	selector, err := metav1.LabelSelectorAsSelector(object)
	if err != nil {
		p.add("%s: %v", field, err)
	}
	return selector
}

// plugins returns the plugins of a policy, sorted by name.
func (p *problems) plugins(plugins []v1alpha1.PolicyPlugin) []annotations.PluginRef {
	var refs []annotations.PluginRef
	seen := map[string]bool{}
	for i, plugin := range plugins {
		err := annotations.ValidatePluginName(plugin.Name)
		if err == nil && plugin.Version != "" {
			err = annotations.ValidateVersion(plugin.Version)
		}
		if err == nil && seen[plugin.Name] {
			err = fmt.Errorf("plugin %q is listed twice; keep one entry", plugin.Name)
		}
		if err != nil {
			p.add("plugins: element %d: %v", i+1, err)
			continue
		}
		seen[plugin.Name] = true
		refs = append(refs, annotations.PluginRef{Name: plugin.Name, Version: plugin.Version})
	}
	slices.SortFunc(refs, func(a, b annotations.PluginRef) int { return strings.Compare(a.Name, b.Name) })
	return refs
}

// patterns returns the patterns of an allowed list.
func (p *problems) patterns(texts []string) []pattern {
	var patterns []pattern
	for i, text := range texts {
		if !patternForm.MatchString(text) {
			p.add("allowed: element %d: the value is %s; use a plugin name, optionally with \"@\" and a version; "+
				"\"*\" matches any text", i+1, denial.Quote(text))
		}
		patterns = append(patterns, newPattern(text))
	}
	return patterns
}

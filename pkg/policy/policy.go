package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/denial"
)

// Policy is a PluginPolicy that can be asked. It is never changed.
type Policy struct {
	Name string
	// Audits: it changes nothing.
	Audits bool
	// Plugins are what it wants, sorted by name.
	Plugins []annotations.PluginRef
	// Library is the namespace whose sources may be used, "" for none.
	Library string
	// OptOut says whether a pod may do without the plugins.
	OptOut bool

	namespaces, pods labels.Selector
	allowed          []pattern
}

// pattern is one entry of what is allowed.
type pattern struct{ text, name, version string }

// patternForm is what the API server takes for an entry of what is allowed.
var patternForm = regexp.MustCompile(`^[-_*A-Za-z0-9]{1,63}(@[-_.*A-Za-z0-9]{1,63})?$`)

// Compile reads a PluginPolicy. The API server has checked the form of what it
// took; a file has been checked by nobody, so all of it is checked here. The
// error names everything that is wrong.
func Compile(read *v1alpha1.PluginPolicy) (*Policy, error) {
	spec := &read.Spec
	policy := &Policy{Name: read.Name, Audits: spec.Mode == v1alpha1.Audit, Library: spec.Library, OptOut: spec.OptOut == nil || *spec.OptOut}
	var wrong problems
	if len(spec.Plugins) == 0 && len(spec.Allowed) == 0 && spec.Library == "" {
		wrong.add("has neither plugins, nor allowed, nor a library, and decides nothing; give it one")
	}
	if spec.Mode != "" && spec.Mode != v1alpha1.Enforce && spec.Mode != v1alpha1.Audit {
		wrong.add("mode: is %s; write %s or %s", denial.Quote(string(spec.Mode)), v1alpha1.Enforce, v1alpha1.Audit)
	}
	policy.namespaces = wrong.selector("namespaceSelector", spec.NamespaceSelector)
	policy.pods = wrong.selector("podSelector", spec.PodSelector)
	policy.Plugins = wrong.plugins(spec.Plugins)
	for i, text := range spec.Allowed {
		if !patternForm.MatchString(text) {
			wrong.add("allowed: element %d: is %s; write a plugin's name, maybe @ and a version, in which a star stands for anything", i+1, denial.Quote(text))
		}
		name, version, _ := strings.Cut(text, "@")
		policy.allowed = append(policy.allowed, pattern{text, name, version})
	}
	if spec.Library != "" && len(validation.IsDNS1123Label(spec.Library)) > 0 {
		wrong.add("library: %s is not a namespace's name", denial.Quote(spec.Library))
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("policy %q: %s", read.Name, strings.Join(wrong, "; "))
	}
	return policy, nil
}

// problems are what is wrong with a policy.
type problems []string

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// selector is that of a field; without one, that of everything.
func (p *problems) selector(field string, read *metav1.LabelSelector) labels.Selector {
	if read == nil {
		return labels.Everything()
	}
	selector, err := metav1.LabelSelectorAsSelector(read)
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

// SelectsNamespace reports whether the policy counts for a namespace with these labels.
func (p *Policy) SelectsNamespace(of map[string]string) bool {
	return p.namespaces.Matches(labels.Set(of))
}

// SelectsPod reports whether a Kong pod with these labels, in such a namespace,
// gets the plugins.
func (p *Policy) SelectsPod(of map[string]string) bool { return p.pods.Matches(labels.Set(of)) }

// ReadsPodLabels reports whether a pod's labels make a difference.
func (p *Policy) ReadsPodLabels() bool { return len(p.Plugins) > 0 && !p.pods.Empty() }

// allows reports whether an annotation may ask for a plugin. A version that is
// not chosen is allowed only where every version is: nothing but stars matches it.
func (p *Policy) allows(ref annotations.PluginRef) bool {
	return len(p.allowed) == 0 || slices.ContainsFunc(p.allowed, func(allowed pattern) bool {
		return matches(allowed.name, ref.Name) && (allowed.version == "" || matches(allowed.version, ref.Version))
	})
}

// allowedText is what the policy allows, as it says it.
func (p *Policy) allowedText() string {
	const most = 10
	texts := make([]string, 0, most)
	for _, allowed := range p.allowed {
		if len(texts) == most {
			return strings.Join(texts, ", ") + fmt.Sprintf(" and %d more", len(p.allowed)-most)
		}
		texts = append(texts, allowed.text)
	}
	return strings.Join(texts, ", ")
}

// matches reports whether a text is of a pattern, in which a star stands for
// anything. Its time is linear in each of the two for every star, and a pattern
// has at most 63 bytes.
func matches(pattern, text string) bool {
	first, rest, stars := strings.Cut(pattern, "*")
	if !stars {
		return pattern == text
	}
	if !strings.HasPrefix(text, first) {
		return false
	}
	text = text[len(first):]
	parts := strings.Split(rest, "*")
	last := parts[len(parts)-1]
	for _, part := range parts[:len(parts)-1] {
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return strings.HasSuffix(text, last)
}

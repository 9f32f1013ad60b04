package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// Pod is what policies have to know of a pod.
type Pod struct {
	Namespace string
	Labels    map[string]string
	// IsKong: some container of it looks like Kong. Only such a pod gets what it
	// did not ask for.
	IsKong bool
	// Inject is the value of annotation kongdao.io/inject, "" without it.
	Inject string
	// Migrations is the value of annotation kongdao.io/migrations: of a pod that
	// asks for nothing the request does not say that it is malformed.
	Migrations string
}

// Outcome is what policies make of a request.
type Outcome struct {
	// Request is what the pod gets.
	Request annotations.Request
	// Denials are why it gets nothing, sorted.
	Denials denial.List
	// Warnings are sentences for whoever made the pod, sorted.
	Warnings []string
	// Libraries are the namespaces where each plugin of the request may come from,
	// by its name; for a plugin that is not here, it is the pod's own.
	Libraries map[string]Origin
	// Giving, Denying, WouldDeny, Auditing and OptedOut name the policies whose
	// plugins the pod gets, that deny it, that would if they were enforced, that
	// would change something, and that the pod does without, each sorted.
	Giving, Denying, WouldDeny, Auditing, OptedOut []string
	// Would is what there were if those that audit were enforced; nil where none does.
	Would *Outcome
}

// Combine says what the policies that count for a pod's namespace make of what
// the pod asks for.
func Combine(policies []*Policy, pod Pod, request annotations.Request) Outcome {
	var enforced []*Policy
	audits := false
	for _, policy := range policies {
		if policy.Audits {
			audits = true
		} else {
			enforced = append(enforced, policy)
		}
	}
	outcome, _ := combine(enforced, pod, request)
	if audits {
		outcome.audit(policies, pod, request)
	}
	outcome.sort()
	return outcome
}

// sort has whoever asks with the same policies in another order hear the same.
func (o *Outcome) sort() {
	o.Denials = o.Denials.Sorted()
	slices.Sort(o.Warnings)
}

// wish is who wants a plugin, and in which version.
type wish struct {
	version string
	// by is the policy's name, "" for the pod's annotation.
	by string
}

func (w wish) String() string {
	if w.by == "" {
		return fmt.Sprintf("annotation %s asks for version %q", annotations.Plugins, w.version)
	}
	return fmt.Sprintf("policy %q wants version %q", w.by, w.version)
}

// combine takes every policy for one that is enforced. It yields who wants which
// plugin, too.
func combine(policies []*Policy, pod Pod, request annotations.Request) (Outcome, map[string][]wish) {
	outcome := Outcome{Request: request}
	wishes := map[string][]wish{}
	for _, ref := range request.Plugins {
		wishes[ref.Name] = append(wishes[ref.Name], wish{ref.Version, ""})
	}
	for _, policy := range policies {
		if outcome.wants(policy, pod) {
			outcome.Giving = append(outcome.Giving, policy.Name)
			for _, ref := range policy.Plugins {
				wishes[ref.Name] = append(wishes[ref.Name], wish{ref.Version, policy.Name})
			}
		}
	}
	outcome.Request.Plugins = outcome.merge(request, wishes)
	outcome.forbid(policies, pod, request, wishes)
	outcome.findLibraries(policies, wishes)
	if len(request.Plugins) == 0 && len(wishes) > 0 {
		// Nobody has looked at it yet, and a slip must not migrate.
		if _, err := annotations.ParseMigrations(pod.Migrations); err != nil {
			outcome.deny("", denial.MalformedAnnotation, "annotation %s: %v", annotations.Migrations, err)
		}
	}
	slices.Sort(outcome.Giving)
	slices.Sort(outcome.OptedOut)
	outcome.Denying = sortedSet(outcome.Denying)
	return outcome, wishes
}

// wants reports whether the pod gets a policy's plugins, and notes where it does
// not want them.
func (o *Outcome) wants(policy *Policy, pod Pod) bool {
	if len(policy.Plugins) == 0 || !pod.IsKong || !policy.SelectsPod(pod.Labels) {
		return false
	}
	switch pod.Inject {
	case "", "true":
		return true
	case "false":
		if policy.OptOut {
			o.OptedOut = append(o.OptedOut, policy.Name)
			return false
		}
		o.Warnings = append(o.Warnings, fmt.Sprintf("annotation %s is \"false\", and policy %q does not let pods opt out", annotations.Inject, policy.Name))
		return true
	}
	o.deny(policy.Name, denial.MalformedAnnotation, "annotation %s: is %s; write \"true\" or \"false\"", annotations.Inject, denial.Quote(pod.Inject))
	return true
}

func (o *Outcome) deny(policy string, reason denial.Reason, format string, args ...any) {
	o.Denials = append(o.Denials, denial.New(reason, format, args...))
	if policy != "" {
		o.Denying = append(o.Denying, policy)
	}
}

// merge yields the plugins in their order, each in the version that somebody
// named; without those about which nobody agrees.
func (o *Outcome) merge(request annotations.Request, wishes map[string][]wish) []annotations.PluginRef {
	merged := make([]annotations.PluginRef, 0, len(wishes))
	add := func(name string) {
		if version, agreed := o.version(name, wishes[name]); agreed {
			merged = append(merged, annotations.PluginRef{Name: name, Version: version})
		}
	}
	asked := map[string]bool{}
	for _, ref := range request.Plugins {
		asked[ref.Name] = true
		add(ref.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(wishes)) {
		if !asked[name] {
			add(name)
			o.Request.AllKongContainers = true
		} else if len(wishes[name]) > 1 {
			o.Request.AllKongContainers = true // the annotation may name containers, and must not leave one out
		}
	}
	return merged
}

// version is the one that those who name any agree on.
func (o *Outcome) version(plugin string, wishes []wish) (version string, agreed bool) {
	named := map[string]wish{}
	for _, wish := range wishes {
		// Of several who want the same, the annotation first, then by name.
		if before, there := named[wish.version]; wish.version != "" && (!there || wish.by < before.by) {
			named[wish.version] = wish
		}
	}
	versions := slices.Sorted(maps.Keys(named))
	switch len(versions) {
	case 0:
		return "", true
	case 1:
		return versions[0], true
	}
	sentences := make([]string, len(versions))
	for i, version := range versions {
		sentences[i] = named[version].String()
	}
	for _, wish := range wishes {
		if wish.by != "" && wish.version != "" {
			o.Denying = append(o.Denying, wish.by)
		}
	}
	o.Denials = append(o.Denials, denial.New(denial.ConflictingPolicies, "plugin %q: %s; let them agree on one version", plugin, strings.Join(sentences, ", and ")))
	return "", false
}

// forbid denies what the annotation asks for and some policy does not allow.
// Nobody has to say of it, too, that it is not there.
func (o *Outcome) forbid(policies []*Policy, pod Pod, request annotations.Request, wishes map[string][]wish) {
	asked := byName(request.Plugins)
	o.Request.Plugins = slices.DeleteFunc(o.Request.Plugins, func(effective annotations.PluginRef) bool {
		if _, asks := asked[effective.Name]; !asks || slices.ContainsFunc(wishes[effective.Name], func(wish wish) bool { return wish.by != "" && wish.version == effective.Version }) {
			return false // a policy gives it, as it is
		}
		forbidden := false
		for _, policy := range policies {
			if !policy.allows(effective) {
				forbidden = true
				o.deny(policy.Name, denial.NotAllowed, "plugin %q: policy %q does not allow it in namespace %q, but %s; ask for one of these, or have the policy changed",
					effective.String(), policy.Name, pod.Namespace, policy.allowedText())
			}
		}
		return forbidden
	})
}

// byName finds the plugins of a request, which may be thousands.
func byName(plugins []annotations.PluginRef) map[string]annotations.PluginRef {
	named := make(map[string]annotations.PluginRef, len(plugins))
	for _, ref := range plugins {
		named[ref.Name] = ref
	}
	return named
}

func sortedSet(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

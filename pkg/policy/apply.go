package policy

import (
	"fmt"
	"slices"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// Pod is what policies must know about a pod.
type Pod struct {
	Namespace string
	Labels    map[string]string
	// IsKong reports whether a container of the pod runs Kong. Other pods get only what they request.
	IsKong bool
	// Inject is the value of annotation kongdao.io/inject, "" without it.
	Inject string
	// Migrations is the value of annotation kongdao.io/migrations. If a pod requests no plugins, its request does not
	// show that the value is malformed.
	Migrations string
}

// Outcome is what policies decide about a request.
type Outcome struct {
	// Request is what the pod gets.
	Request annotations.Request
	// Denials say why it gets nothing, sorted.
	Denials denial.List
	// Warnings are sentences for the person who creates the pod, sorted.
	Warnings []string
	// Origins are the namespaces that each plugin of the request may come from, by plugin name. A plugin without an
	// entry comes from the pod's namespace.
	Origins map[string]Origin
	// Effects says what each policy does to the pod.
	Effects Effects
}

// ApplyPolicies applies the policies of a pod's namespace to the pod's request. The simulated outcome is the one that
// results if every policy is enforced. It is empty if no policy audits.
func ApplyPolicies(policies []*Policy, pod Pod, request annotations.Request) (actual, simulated Outcome) {
	var enforced []*Policy
	for _, policy := range policies {
		if !policy.Audits {
			enforced = append(enforced, policy)
		}
	}
	ruling := enforce(enforced, pod, request)
	if len(enforced) == len(policies) {
		return ruling.Outcome, Outcome{}
	}
	simulation := enforce(policies, pod, request)
	warnings, effects := audit(policies, ruling, simulation)
	ruling.Warnings = append(ruling.Warnings, warnings...)
	slices.Sort(ruling.Warnings)
	ruling.Effects = append(ruling.Effects, effects...).sorted()
	return ruling.Outcome, simulation.Outcome
}

// ruling is the outcome of policies that are all enforced, with the claims that led to it.
type ruling struct {
	Outcome
	claims claims
}

// enforce treats every policy as enforced.
func enforce(policies []*Policy, pod Pod, request annotations.Request) ruling {
	ruling := ruling{Outcome: Outcome{Request: request}, claims: claims{}}
	ruling.claims.addRequest(request)
	for _, policy := range policies {
		if ruling.applies(policy, pod) {
			ruling.addEffect(policy.Name, Injected)
			ruling.claims.addPolicy(policy)
		}
	}
	ruling.mergeClaims(request)
	ruling.denyForbidden(policies, pod, request)
	ruling.Origins = ruling.claims.origins(policies)
	if len(request.Plugins) == 0 && len(ruling.claims) > 0 {
		// annotations.Parse ignores this annotation if the pod requests nothing. A typo must not start a migration.
		if _, err := annotations.ParseMigrations(pod.Migrations); err != nil {
			ruling.deny("", denial.MalformedAnnotation, "annotation %s: %v", annotations.Migrations, err)
		}
	}
	ruling.Denials = ruling.Denials.Sorted()
	slices.Sort(ruling.Warnings)
	ruling.Effects = ruling.Effects.sorted()
	return ruling
}

// applies reports whether the pod gets the plugins of a policy.
func (r *ruling) applies(policy *Policy, pod Pod) bool {
	if len(policy.Plugins) == 0 || !pod.IsKong || !policy.SelectsPod(pod.Labels) {
		return false
	}
	switch pod.Inject {
	case "", "true":
		return true
	case "false":
		if policy.OptOut {
			r.addEffect(policy.Name, OptedOut)
			return false
		}
		r.Warnings = append(r.Warnings, fmt.Sprintf(
			"annotation %s: \"false\" has no effect on policy %q, which does not permit opting out; remove the annotation",
			annotations.Inject, policy.Name))
		return true
	}
	r.deny(policy.Name, denial.MalformedAnnotation, "annotation %s: the value is %s; use \"true\" or \"false\"",
		annotations.Inject, denial.Quote(pod.Inject))
	return true
}

func (r *ruling) addEffect(policy string, kind EffectKind) {
	r.Effects = append(r.Effects, Effect{policy, kind})
}

// deny adds a denial. The policy is "" if no policy causes it.
func (r *ruling) deny(policy string, reason denial.Reason, format string, args ...any) {
	r.Denials = append(r.Denials, denial.New(reason, format, args...))
	if policy != "" {
		r.addEffect(policy, Denied)
	}
}

// denyForbidden denies plugins that the annotation requests and a policy does not allow. It removes them from the
// request, so that there is no second denial if the plugin does not exist.
func (r *ruling) denyForbidden(policies []*Policy, pod Pod, request annotations.Request) {
	requested := annotations.ByName(request.Plugins)
	r.Request.Plugins = slices.DeleteFunc(r.Request.Plugins, func(effective annotations.PluginRef) bool {
		if _, isRequested := requested[effective.Name]; !isRequested || r.claims.fromPolicy(effective) {
			return false
		}
		forbidden := false
		for _, policy := range policies {
			if !policy.allows(effective) {
				forbidden = true
				r.deny(policy.Name, denial.NotAllowed,
					"plugin %q: policy %q does not allow it in namespace %q, only %s; request an allowed plugin, or change the policy",
					effective.String(), policy.Name, pod.Namespace, policy.allowedText())
			}
		}
		return forbidden
	})
}

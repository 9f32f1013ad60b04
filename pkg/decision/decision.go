package decision

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/sets"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

// Pod is the pod to decide about. It may also be the pod template of a workload.
type Pod struct {
	Namespace string
	// OwnerKind is the kind of the pod's controller, "" for a pod without one.
	OwnerKind string
	// View is what the decision reads of the pod.
	View mutate.Pod
}

// Cluster is what a decision must know about the cluster.
type Cluster struct {
	// Policies are the policies that select the pod's namespace.
	Policies []*policy.Policy
	// Releases returns the releases of a plugin in a namespace, sorted by version.
	Releases policy.ReleaseLookup
	// HasCopies reports whether a namespace has all copies that the releases need. If it is nil, the pod gets no gate
	// for copies.
	HasCopies func(namespace string, releases []*catalog.Release) bool
	// IsMigrated reports whether the PluginMigration of this name is migrated. If it is nil, the pod gets no gate for
	// migrations.
	IsMigrated func(namespace, name string) (bool, error)
	// RunsMigrations reports whether kongdao runs migrations. A pod with migrations that it cannot run then gets a
	// warning, or a denial with RequiresMigrations.
	RunsMigrations, RequiresMigrations bool
}

// Decision is what kongdao does with a pod: it denies it, or patches it.
type Decision struct {
	// Request is what the pod gets: its own request, changed by policies.
	Request annotations.Request
	// Origins are the namespaces that each plugin of the request may come from, by plugin name. A plugin without an
	// entry comes from the pod's namespace.
	Origins map[string]policy.Origin
	// Releases are the releases that the request was resolved to, in the order of the request.
	Releases []*catalog.Release
	// Patch is empty if nothing has to change.
	Patch []mutate.Operation
	// Denials say why the pod cannot have what it requests. A denied pod has no patch.
	Denials denial.List
	// Warnings are sentences for the person who creates the pod.
	Warnings []string
	// PolicyWarnings are those of the warnings that policies cause.
	PolicyWarnings []string
	// Effects says what each policy does to the pod.
	Effects policy.Effects
	// NeedsMigration reports whether kongdao migrates the pod's database, before this pod or before another one.
	NeedsMigration bool
	// Migration names the PluginMigration that the pod waits for, "" if it waits for none.
	Migration string
	// Unpinned are the plugins whose release was chosen because it is the newest.
	Unpinned []string
	// NotFound lists, by namespace, the plugins without a usable release. If Cluster.Releases reads a cache, the
	// cluster may have these releases already.
	NotFound map[string]sets.Set[string]
}

// Admit decides about a pod. The denials name everything that is wrong. An error comes from Cluster.IsMigrated. It says
// nothing about the pod.
func Admit(pod Pod, cluster Cluster) (Decision, error) {
	request, malformed := annotations.Parse(pod.View.Annotations)
	admission := admission{pod: pod, cluster: cluster, malformed: malformed, requested: request.Plugins}
	decision := admission.decide(request)
	decision.NotFound = admission.notFound
	requirement := admission.requireMigrations(&decision)
	decision.NeedsMigration = requirement != nil
	gates, migration, err := admission.gates(&decision, requirement)
	if err != nil {
		return Decision{}, err
	}
	decision.Patch = mutate.AddGates(decision.Patch, pod.View, gates)
	if decision.Migration = migration; migration != "" {
		decision.Patch = mutate.Annotate(decision.Patch, pod.View, annotations.Migration, migration)
	}
	return decision, nil
}

// admission is one call of Admit.
type admission struct {
	pod     Pod
	cluster Cluster
	// malformed is what is wrong with the pod's annotations.
	malformed denial.List
	// requested are the plugins of the pod's annotation.
	requested []annotations.PluginRef
	notFound  map[string]sets.Set[string]
}

// decide applies the policies to the request and injects the result.
func (a *admission) decide(request annotations.Request) Decision {
	pinned := request
	pinned.Plugins = request.Pinned(request.Plugins)
	withoutPolicies := policy.Outcome{Request: pinned}
	if len(a.cluster.Policies) == 0 {
		return a.inject(withoutPolicies)
	}
	actual, simulated := policy.ApplyPolicies(a.cluster.Policies, a.policyPod(), request)
	decision := a.inject(actual)
	effects, warnings := actual.Effects, actual.Warnings
	switch {
	case len(decision.Denials) > 0:
		// Policies are the cause if the pod can have what it requests itself.
		caused := effects.Has(policy.Injected) && len(a.inject(withoutPolicies).Denials) == 0
		if caused {
			effects = effects.Replace(policy.Injected, policy.Denied)
		} else {
			effects = effects.Without(policy.Injected)
		}
	case effects.Has(policy.WouldChange) && !effects.Has(policy.WouldDeny):
		if denials := a.inject(simulated).Denials; len(denials) > 0 {
			effects = effects.Replace(policy.WouldChange, policy.WouldDeny)
			warnings = append(warnings, policy.AuditWarning(denials))
		}
	}
	decision.Effects, decision.PolicyWarnings = effects, warnings
	decision.Warnings = slices.Concat(decision.Warnings, warnings)
	return decision
}

// policyPod is what policies must know about the pod.
func (a *admission) policyPod() policy.Pod {
	view := &a.pod.View
	pod := policy.Pod{
		Namespace:  a.pod.Namespace,
		IsKong:     mutate.IsKong(*view),
		Inject:     view.Annotations[annotations.Inject],
		Migrations: view.Annotations[annotations.Migrations],
	}
	if slices.ContainsFunc(a.cluster.Policies, (*policy.Policy).ReadsPodLabels) {
		pod.Labels = view.AllLabels()
	}
	return pod
}

// inject resolves the request that policies made, and injects the releases.
func (a *admission) inject(outcome policy.Outcome) Decision {
	releases, unresolved := catalog.Resolve(
		a.pod.Namespace, outcome.Request.Plugins, outcome.Finder(a.pod.Namespace, a.cluster.Releases))
	a.noteNotFound(outcome, releases)
	injection := mutate.Inject(a.pod.View, outcome.Request, releases)
	decision := Decision{Request: outcome.Request, Origins: outcome.Origins, Releases: releases}
	decision.Denials = slices.Concat(a.malformed, outcome.Denials, unresolved, injection.Denials)
	if len(decision.Denials) == 0 {
		decision.Patch, decision.Warnings = injection.Patch, injection.Warnings
		a.noteUnpinned(&decision)
	}
	return decision
}

// noteUnpinned notes the plugins whose release was chosen because it is the newest, and warns if there are several. A
// policy's plugin counts only then, because policies can select all pods of a cluster.
func (a *admission) noteUnpinned(decision *Decision) {
	for i, ref := range decision.Request.Plugins {
		version := decision.Releases[i].Version
		if ref.Version != "" || ref.IsPin {
			continue
		}
		isRequested := slices.ContainsFunc(a.requested, func(own annotations.PluginRef) bool { return own.Name == ref.Name })
		count := 0
		for _, namespace := range decision.Origins[ref.Name].Namespaces(a.pod.Namespace) {
			count += len(a.cluster.Releases(namespace, ref.Name))
		}
		if count > 1 || isRequested {
			decision.Unpinned = append(decision.Unpinned, ref.Name)
		}
		if count > 1 && version != "" {
			ref.Version = version
			decision.Warnings = append(decision.Warnings, fmt.Sprintf("plugin %q: no version is requested, and the pod "+
				"gets %q, the newest release without problems; later pods may get a newer one", ref.Name, ref))
		}
	}
}

// noteNotFound notes the plugins that have no release. Releases are in the order of the plugins.
func (a *admission) noteNotFound(outcome policy.Outcome, releases []*catalog.Release) {
	if len(outcome.Request.Plugins) == len(releases) {
		return
	}
	for _, plugin := range outcome.Request.Plugins {
		if len(releases) > 0 && releases[0].Plugin == plugin.Name {
			releases = releases[1:]
			continue
		}
		for _, namespace := range outcome.Origins[plugin.Name].Namespaces(a.pod.Namespace) {
			if a.notFound == nil {
				a.notFound = map[string]sets.Set[string]{}
			}
			if a.notFound[namespace] == nil {
				a.notFound[namespace] = sets.Set[string]{}
			}
			a.notFound[namespace].Insert(plugin.Name)
		}
	}
}

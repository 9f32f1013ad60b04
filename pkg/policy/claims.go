package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// claim says that a pod gets a plugin, because its annotation or a policy says so.
type claim struct {
	// version is "" if every version is accepted.
	version string
	// policy is the policy's name, "" for the pod's annotation.
	policy string
}

func (c claim) String() string {
	if c.policy == "" {
		return fmt.Sprintf("annotation %s requests version %q", annotations.Plugins, c.version)
	}
	return fmt.Sprintf("policy %q requires version %q", c.policy, c.version)
}

// claims are by plugin name.
type claims map[string][]claim

func (c claims) addRequest(request annotations.Request) {
	for _, ref := range request.Plugins {
		c[ref.Name] = append(c[ref.Name], claim{ref.Version, ""})
	}
}

func (c claims) addPolicy(policy *Policy) {
	for _, ref := range policy.Plugins {
		c[ref.Name] = append(c[ref.Name], claim{ref.Version, policy.Name})
	}
}

// fromPolicy reports whether a policy claims the plugin in exactly this version, or without a version if a pin chose
// the version.
func (c claims) fromPolicy(ref annotations.PluginRef) bool {
	return slices.ContainsFunc(c[ref.Name], func(claim claim) bool {
		return claim.policy != "" && (claim.version == ref.Version || claim.version == "" && ref.IsPin)
	})
}

// mergeClaims makes the claims one request: first the plugins of the pod's annotation, then those of policies by name.
// Plugins whose claims contradict each other are denied and left out.
func (r *ruling) mergeClaims(request annotations.Request) {
	merged := make([]annotations.PluginRef, 0, len(r.claims))
	add := func(name string) {
		if version, agreed := r.agreedVersion(name); agreed {
			merged = append(merged, annotations.PluginRef{Name: name, Version: version})
		}
	}
	requested := make(map[string]bool, len(request.Plugins))
	for _, ref := range request.Plugins {
		requested[ref.Name] = true
		add(ref.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(r.claims)) {
		if !requested[name] {
			add(name)
		}
		if !requested[name] || len(r.claims[name]) > 1 {
			// A policy claims the plugin. Annotation kongdao.io/containers must not exclude a Kong container from it.
			r.Request.AllKongContainers = true
		}
	}
	r.Request.Plugins = request.Pinned(merged)
}

// agreedVersion returns the version that all claims with a version agree on, "" if no claim has one. If they do not
// agree, it denies the pod.
func (r *ruling) agreedVersion(plugin string) (version string, agreed bool) {
	byVersion := map[string]claim{}
	for _, claim := range r.claims[plugin] {
		// Several claims may name the same version. Messages quote the annotation, or else the first policy by name.
		first, exists := byVersion[claim.version]
		if claim.version != "" && (!exists || claim.policy < first.policy) {
			byVersion[claim.version] = claim
		}
	}
	versions := slices.Sorted(maps.Keys(byVersion))
	switch len(versions) {
	case 0:
		return "", true
	case 1:
		return versions[0], true
	}
	sentences := make([]string, len(versions))
	for i, version := range versions {
		sentences[i] = byVersion[version].String()
	}
	r.deny("", denial.ConflictingPolicies, "plugin %q: %s; use the same version in all of them",
		plugin, strings.Join(sentences, ", "))
	for _, claim := range r.claims[plugin] {
		if claim.policy != "" && claim.version != "" {
			r.addEffect(claim.policy, Denied)
		}
	}
	return "", false
}

// origins returns where each claimed plugin may come from. It is nil if no policy has a library.
func (c claims) origins(policies []*Policy) map[string]Origin {
	all := map[string]bool{}
	libraries := map[string]string{} // by policy
	for _, policy := range policies {
		if policy.Library != "" {
			libraries[policy.Name] = policy.Library
			all[policy.Library] = true
		}
	}
	if len(all) == 0 {
		return nil
	}
	origins := make(map[string]Origin, len(c))
	for plugin, claims := range c {
		only := map[string]bool{}
		for _, claim := range claims {
			if library := libraries[claim.policy]; library != "" {
				only[library] = true
			}
		}
		if len(only) > 0 {
			origins[plugin] = Origin{Libraries: slices.Sorted(maps.Keys(only)), Only: true}
		} else {
			origins[plugin] = Origin{Libraries: slices.Sorted(maps.Keys(all))}
		}
	}
	return origins
}

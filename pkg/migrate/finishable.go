package migrate

import (
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/denial"
)

// finishable yields the pod to finish pending migrations with, or why they may
// not be finished yet: finishing may take away what an older Kong uses (K12),
// and needs the files that made them pending (K30). So every running pod of the
// database that loads the plugin has to carry them, and to be ready.
func (p *planner) finishable(record *v1alpha1.PluginMigration, pending []string) (from *Pod, reason, why string) {
	from = p.template(record, pending)
	if from == nil {
		return nil, v1alpha1.ReasonNoPods, "no pod is there that carries them, to run \"kong migrations finish\" with"
	}
	var older, unready []string
	for _, pod := range p.running {
		switch {
		case !p.carries(pod, from, record, pending):
			older = append(older, pod.key())
		case !pod.Ready && !pod.Ending:
			unready = append(unready, pod.key())
		}
	}
	switch {
	case len(older) > 0:
		return nil, v1alpha1.ReasonOlderPods, fmt.Sprintf("pods run that do not carry them: %s; roll out the release that does to all of them", denial.QuoteNames(older))
	case len(unready) > 0:
		return nil, v1alpha1.ReasonNotReady, fmt.Sprintf("pods are not ready: %s", denial.QuoteNames(unready))
	}
	return from, "", ""
}

// template is a pod whose container can finish what is pending: one of the
// record's own before any other that carries it, one that runs before one that waits.
func (p *planner) template(record *v1alpha1.PluginMigration, pending []string) *Pod {
	var best *Pod
	rank := 0
	for i := range p.Pods {
		pod := &p.Pods[i]
		if pod.Namespace != p.Namespace || pod.Ending || !p.carries(pod, pod, record, pending) {
			continue
		}
		now := 1
		if !pod.Gated {
			now++
		}
		if pod.record() == record.Name {
			now += 2
		}
		if now > rank {
			best, rank = pod, now
		}
	}
	return best
}

// carries reports whether a pod's Kong can live with the pending migrations
// finished: of each plugin that it loads it has them among its own; of Kong's
// own, which are in no release, it is of the same image as the one that finishes.
func (p *planner) carries(pod, from *Pod, record *v1alpha1.PluginMigration, pending []string) bool {
	for _, line := range pending {
		plugin, names, _ := strings.Cut(line, ": ")
		at := slices.IndexFunc(pod.Requirement.Set, func(own v1alpha1.PluginMigrations) bool { return own.Name == plugin })
		switch {
		case at >= 0:
			if !p.hasAll(pod.Requirement.Set[at], record, strings.Split(names, ", ")) {
				return false
			}
		case p.isOurs(plugin):
			// A pod that finishes has to have the files; another may do without a plugin that it does not load.
			if pod == from || pod.Plugins == nil || slices.Contains(pod.Plugins, plugin) {
				return false
			}
		case pod.Requirement.Image != from.Requirement.Image:
			return false
		}
	}
	return true
}

// hasAll reports whether a pod's plugin has migrations, by their names or, where
// these are not known, by having just those of the record.
func (p *planner) hasAll(own v1alpha1.PluginMigrations, record *v1alpha1.PluginMigration, names []string) bool {
	if slices.ContainsFunc(record.Spec.Plugins, func(other v1alpha1.PluginMigrations) bool {
		return other.Name == own.Name && other.Digest == own.Digest
	}) {
		return true
	}
	return !slices.ContainsFunc(names, func(name string) bool {
		return !slices.ContainsFunc(own.Migrations, func(migration v1alpha1.Migration) bool { return migration.Name == name })
	})
}

// isOurs reports whether a plugin comes from sources: some record or pod has it.
func (p *planner) isOurs(plugin string) bool {
	has := func(set []v1alpha1.PluginMigrations) bool {
		return slices.ContainsFunc(set, func(other v1alpha1.PluginMigrations) bool { return other.Name == plugin })
	}
	return slices.ContainsFunc(p.records, func(record *v1alpha1.PluginMigration) bool { return has(record.Spec.Plugins) }) ||
		slices.ContainsFunc(p.Pods, func(pod Pod) bool { return has(pod.Requirement.Set) })
}

package migrate

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/denial"
)

// canFinish returns the pod to finish pending migrations with, or why they cannot be finished yet. `kong migrations
// finish` may remove what older Kongs use (fact K12), and it needs the files that made the migrations pending (fact
// K30). So every running pod that uses the database and loads the plugin must have these migrations and be ready.
func (p *planner) canFinish(migration *v1alpha1.PluginMigration, pending []string) (*Pod, *blocker) {
	from := p.podToFinishWith(migration, pending)
	if from == nil {
		return nil, &blocker{v1alpha1.ReasonNoPods, "\"kong migrations finish\" needs a pod that has these migrations"}
	}
	var older, unready blockingPods
	ignoresForeign := migration.Annotations[annotations.IgnoreForeignPods] == "true"
	for _, pod := range p.running {
		isForeign := pod.Namespace != p.Namespace
		switch {
		case isForeign && ignoresForeign:
		case !p.toleratesFinish(pod, from, migration, pending):
			older.add(pod, isForeign)
		case !pod.Ready && !pod.Ending:
			unready.add(pod, isForeign)
		}
	}
	switch {
	case !older.empty():
		return nil, &blocker{v1alpha1.ReasonOlderPods,
			"Pods without these migrations still run. Restart their workloads with the new release: " +
				older.describe(migration)}
	case !unready.empty():
		return nil, &blocker{v1alpha1.ReasonPodsNotReady, "Pods are not ready: " + unready.describe(migration)}
	}
	return from, nil
}

// waitToFinish returns why a "finish" that the pods allow does not start yet, or nil.
func (p *planner) waitToFinish(migration *v1alpha1.PluginMigration) *blocker {
	p.plan.Finishable = append(p.plan.Finishable, migration.Name)
	since, known := p.FinishableSince[migration.Name]
	if !known {
		since = p.Now
	}
	start := since.Add(p.FinishDelay)
	if !p.Now.Time.Before(start) {
		return nil
	}
	p.requeueAt(metav1.NewTime(start))
	return &blocker{v1alpha1.ReasonSettling, fmt.Sprintf(
		"\"kong migrations finish\" starts if all pods can use its result for %v", p.FinishDelay)}
}

// blockingPods are pods that "finish" waits for.
type blockingPods struct {
	// names are those of the pods in the namespace of the migration.
	names []string
	// foreign is the number of the pods in other namespaces. Users of one namespace may not see the names in others.
	foreign int
}

func (b *blockingPods) add(pod *Pod, isForeign bool) {
	if isForeign {
		b.foreign++
		return
	}
	b.names = append(b.names, pod.key())
}

func (b *blockingPods) empty() bool { return len(b.names) == 0 && b.foreign == 0 }

// describe returns the pods as a part of a sentence, and how to ignore those in other namespaces.
func (b *blockingPods) describe(migration *v1alpha1.PluginMigration) string {
	if b.foreign == 0 {
		return denial.QuoteNames(b.names)
	}
	foreign := fmt.Sprintf("%d pods in other namespaces", b.foreign)
	if b.foreign == 1 {
		foreign = "1 pod in another namespace"
	}
	if len(b.names) > 0 {
		foreign = denial.QuoteNames(b.names) + " and " + foreign
	}
	return fmt.Sprintf("%s. If pods in other namespaces no longer need the database, run %q", foreign,
		annotateCommand(migration, annotations.IgnoreForeignPods, "true"))
}

// podToFinishWith returns a pod whose container can finish pending migrations, or nil. It prefers pods that require the
// migration, then pods that run.
func (p *planner) podToFinishWith(migration *v1alpha1.PluginMigration, pending []string) *Pod {
	var best *Pod
	bestRank := 0
	for i := range p.Pods {
		pod := &p.Pods[i]
		if pod.Namespace != p.Namespace || pod.Ending || pod.Unusable != "" ||
			!p.toleratesFinish(pod, pod, migration, pending) {
			continue
		}
		rank := 1
		if !pod.Gated {
			rank++
		}
		if pod.migrationName() == migration.Name {
			rank += 2
		}
		if rank > bestRank {
			best, bestRank = pod, rank
		}
	}
	return best
}

// toleratesFinish reports whether the Kong of a pod can use the database after a finish with the container of pod from.
// The pod must have the pending migrations of each plugin that it loads. The migrations of Kong itself are in no
// release: for these, the pod must have the same image as from.
func (p *planner) toleratesFinish(pod, from *Pod, migration *v1alpha1.PluginMigration, pending []string) bool {
	for _, line := range pending {
		plugin, names, _ := strings.Cut(line, ": ")
		at := slices.IndexFunc(pod.Requirement.Plugins, func(own v1alpha1.PluginMigrations) bool {
			return own.Name == plugin
		})
		switch {
		case at >= 0:
			if !hasMigrations(pod.Requirement.Plugins[at], migration, strings.Split(names, ", ")) {
				return false
			}
		case p.managed[plugin]:
			// The pod that finishes needs the files. Other pods do not if they do not load the plugin.
			if pod == from || pod.Plugins == nil || slices.Contains(pod.Plugins, plugin) {
				return false
			}
		case pod.Requirement.Image != from.Requirement.Image:
			return false
		}
	}
	return true
}

// hasMigrations reports whether a release has migrations, by their names. If the names are unknown, the release must
// have exactly the migrations of the PluginMigration. Kong may list further ones as pending, which a newer release has.
func hasMigrations(own v1alpha1.PluginMigrations, migration *v1alpha1.PluginMigration, names []string) bool {
	if len(own.Migrations) == 0 {
		return slices.ContainsFunc(migration.Spec.Plugins, func(other v1alpha1.PluginMigrations) bool {
			return other.Name == own.Name && other.MigrationsDigest == own.MigrationsDigest
		})
	}
	return !slices.ContainsFunc(names, func(name string) bool {
		return !slices.ContainsFunc(own.Migrations, func(file v1alpha1.Migration) bool { return file.Name == name })
	})
}

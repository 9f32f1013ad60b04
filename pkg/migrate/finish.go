package migrate

import (
	"fmt"
	"slices"
	"strings"
	"time"

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
	counted := 0
	ignoresForeign := migration.Annotations[annotations.IgnoreForeignPods] == "true"
	for _, pod := range p.running {
		isForeign := pod.Namespace != p.Namespace
		if isForeign && ignoresForeign {
			continue
		}
		counted++
		switch {
		case !p.toleratesFinish(pod, from, migration, pending):
			older.add(pod, isForeign, pending)
		case !pod.Ready && !pod.Ending:
			unready.add(pod, isForeign, pending)
		}
	}
	if older.empty() && unready.empty() {
		return from, nil
	}
	const waits = "\"kong migrations finish\" waits for %d of %d pods, which %s: %s"
	if older.empty() {
		return nil, &blocker{v1alpha1.ReasonPodsNotReady,
			fmt.Sprintf(waits, unready.count(), counted, "are not ready", unready.describe(migration))}
	}
	message := fmt.Sprintf(waits, older.count(), counted, older.runs(), older.describe(migration))
	if p.isStuck(migration) {
		message += ". If this does not change, restart their workloads with the new release"
	}
	return nil, &blocker{v1alpha1.ReasonOlderPods, message}
}

// stuckAfter is how long a rollout may take until messages say what to do.
const stuckAfter = 10 * time.Minute

// isStuck reports whether a migration has waited for long. A rollout that goes on needs no advice.
func (p *planner) isStuck(migration *v1alpha1.PluginMigration) bool {
	since := migration.CreationTimestamp
	if migration.Status.MigratedTime != nil {
		since = *migration.Status.MigratedTime
	}
	stuck := metav1.NewTime(since.Add(stuckAfter))
	if p.Now.Before(&stuck) {
		p.requeueAt(stuck)
		return false
	}
	return true
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
	// releases are what the pods run of the plugins with pending migrations: "dao-test@1.0.0". It is empty if a pod does
	// not show it.
	releases []string
	isHidden bool
}

func (b *blockingPods) add(pod *Pod, isForeign bool, pending []string) {
	b.addReleases(pod, pending)
	if isForeign {
		b.foreign++
		return
	}
	b.names = append(b.names, pod.key())
}

func (b *blockingPods) addReleases(pod *Pod, pending []string) {
	found := false
	for _, line := range pending {
		plugin, _, _ := strings.Cut(line, ": ")
		for _, own := range pod.Requirement.Plugins {
			if own.Name == plugin && own.Version != "" {
				found = true
				b.releases = append(b.releases, own.Name+"@"+own.Version)
			}
		}
	}
	b.isHidden = b.isHidden || !found
}

// runs returns what the pods run, as a part of a sentence.
func (b *blockingPods) runs() string {
	if b.isHidden {
		return "do not have these migrations"
	}
	slices.Sort(b.releases)
	return "still run " + strings.Join(slices.Compact(b.releases), " or ")
}

func (b *blockingPods) count() int { return len(b.names) + b.foreign }

func (b *blockingPods) empty() bool { return b.count() == 0 }

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

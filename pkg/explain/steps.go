package explain

import (
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

// effectTexts say what a policy does to a pod.
var effectTexts = map[policy.EffectKind]string{
	policy.Injected:    "gives the pod plugins",
	policy.Denied:      "denies the pod",
	policy.OptedOut:    "has no effect, because the pod opts out",
	policy.WouldChange: "would change the pod if it were enforced",
	policy.WouldDeny:   "would deny the pod if it were enforced",
}

// releases says which release the pod gets for each plugin, and why.
func (e *explainer) releases() []string {
	var lines []string
	for _, plugin := range e.admitted.Request.Plugins {
		at := slices.IndexFunc(e.admitted.Releases, func(r *catalog.Release) bool { return r.Plugin == plugin.Name })
		if at < 0 {
			lines = append(lines, fmt.Sprintf("plugin %q: no release; %s", plugin.Name, e.existing(plugin)))
			continue
		}
		release := e.admitted.Releases[at]
		got := annotations.PluginRef{Name: release.Plugin, Version: release.Version}
		where := fmt.Sprintf("namespace %q", e.pod.Namespace)
		if release.Library != "" {
			where = fmt.Sprintf("library %q", release.Library)
		}
		lines = append(lines, fmt.Sprintf("%s from %s: %s", got, where, e.whyRelease(plugin)),
			"    digest "+release.Digest, "    ConfigMaps "+sourceNames(release))
	}
	return lines
}

// whyRelease says why a release was chosen.
func (e *explainer) whyRelease(plugin annotations.PluginRef) string {
	switch {
	case plugin.IsPin:
		return fmt.Sprintf("annotation %s names this version; %s", annotations.Releases, e.existing(plugin))
	case plugin.Version != "":
		return "the request names this version"
	}
	return "it is the newest release without problems; " + e.existing(plugin)
}

// existing lists the releases that exist.
func (e *explainer) existing(plugin annotations.PluginRef) string {
	var parts []string
	for _, namespace := range e.admitted.Origins[plugin.Name].Namespaces(e.pod.Namespace) {
		releases := e.input.Cluster.Releases(namespace, plugin.Name)
		if len(releases) > 0 {
			parts = append(parts, fmt.Sprintf("namespace %q has %s", namespace, catalog.DescribeVersions(releases)))
		}
	}
	if len(parts) == 0 {
		return "no ConfigMap has the plugin"
	}
	return strings.Join(parts, ", and ")
}

func sourceNames(release *catalog.Release) string {
	var names []string
	for _, source := range release.Sources {
		name := source.Name
		if !source.Immutable {
			name += " (mutable)"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// containers says which containers run Kong, and why.
func (e *explainer) containers() []string {
	var lines []string
	for _, verdict := range mutate.Verdicts(e.pod.View, e.admitted.Request) {
		kind, runs := "container", "does not run Kong"
		if verdict.IsInit {
			kind = "init container"
		}
		if verdict.RunsKong {
			runs = "runs Kong"
		}
		lines = append(lines, fmt.Sprintf("%s %q %s: %s", kind, verdict.Container, runs, verdict.Reason))
	}
	return lines
}

// database says which database Kong has, and how it is identified.
func (e *explainer) database() []string {
	if len(e.admitted.Request.Plugins) == 0 {
		return nil
	}
	container := mutate.KongContainer(e.pod.View, e.admitted.Request)
	if container == nil {
		return []string{"no Kong container has a database: KONG_DATABASE is off, or KONG_ROLE is data_plane"}
	}
	database, isReachable := migrate.DatabaseOf(e.pod.Namespace, &e.pod.View, container,
		e.admitted.Request.MigrationsWith)
	if !isReachable {
		why := migrate.WhyNotMigrated(e.pod.View, e.admitted.Request, e.admitted.Releases)
		if why == "" {
			why = fmt.Sprintf("container %q does not show a database that a Job can reach", container.Name)
		}
		return []string{why}
	}
	return []string{fmt.Sprintf("%s, from the variables of container %q (key %s)",
		database.Description, container.Name, database.Key)}
}

// decision says what the webhook does.
func (e *explainer) decision() []string {
	var lines []string
	for _, denied := range e.admitted.Denials.Sorted() {
		lines = append(lines, fmt.Sprintf("the webhook denies the pod (%s): %s", denied.Reason, denied.Message))
	}
	switch {
	case len(lines) > 0:
		return lines
	case len(e.admitted.Request.Plugins) == 0:
		lines = append(lines, "the webhook does not change the pod")
	default:
		lines = append(lines, "the webhook injects the releases into the containers that run Kong")
		lines = append(lines, e.gate())
	}
	for _, warning := range e.admitted.Warnings {
		lines = append(lines, "warning: "+warning)
	}
	return lines
}

// gate says whether a new pod waits for a migration.
func (e *explainer) gate() string {
	switch {
	case e.admitted.Migration != "":
		return "a new pod waits for " + e.describeMigration(e.admitted.Migration)
	case e.admitted.NeedsMigration:
		return "a new pod does not wait, because its database is migrated"
	}
	return "a new pod does not wait for a migration"
}

// describeMigration names a PluginMigration with its state.
func (e *explainer) describeMigration(name string) string {
	migration := e.findMigration(name)
	if migration == nil {
		return fmt.Sprintf("PluginMigration %q, which kongdao creates with the pod", name)
	}
	text := fmt.Sprintf("PluginMigration %q, which is %s", name, migration.Status.Phase)
	if migration.Status.Message != "" {
		text += ": " + migration.Status.Message
	}
	return text
}

func (e *explainer) findMigration(name string) *v1alpha1.PluginMigration {
	at := slices.IndexFunc(e.input.Migrations, func(m v1alpha1.PluginMigration) bool { return m.Name == name })
	if at < 0 {
		return nil
	}
	return &e.input.Migrations[at]
}

// live says what a pod that exists waits for, and what releases it.
func (e *explainer) live() []string {
	live := e.input.Live
	if live == nil {
		return nil
	}
	var lines []string
	for _, gate := range live.Gates {
		switch gate {
		case annotations.MigrationsGate:
			lines = append(lines, "the pod waits for "+e.describeMigration(live.Migration))
			lines = append(lines, e.wayOut()...)
		case annotations.LibraryGate:
			lines = append(lines, "the pod waits for copies of its plugins: see the Events of the pod")
		default:
			lines = append(lines, fmt.Sprintf("the pod waits for the scheduling gate %q, which is not kongdao's", gate))
		}
	}
	switch {
	case len(lines) > 0:
		return lines
	case !live.IsInjected && len(e.admitted.Request.Plugins) > 0:
		return []string{"the pod has no plugins: it was created before the request, or without a call of the webhook. " +
			"Replace it"}
	}
	return []string{fmt.Sprintf("the pod is %s, and does not wait for kongdao", live.Phase)}
}

// wayOut returns the commands that can end the wait of a pod.
func (e *explainer) wayOut() []string {
	live, namespace := e.input.Live, e.pod.Namespace
	var lines []string
	if migration := e.findMigration(live.Migration); migration != nil {
		switch migration.Status.Phase {
		case v1alpha1.PhaseFailed, v1alpha1.PhaseHeld, v1alpha1.PhaseWaiting:
			lines = append(lines,
				fmt.Sprintf("    to see Kong's words: kubectl kongdao logs %s -n %s", migration.Name, namespace),
				fmt.Sprintf("    to try again: kubectl kongdao migration retry %s -n %s", migration.Name, namespace))
		}
	}
	return append(lines,
		fmt.Sprintf("    to start the pod without its migration: kubectl kongdao ungate %s -n %s", live.Name, namespace))
}

// Package migrationplan shows which migrations run for a pod: on which database, in which order, with which SQL, and
// what is known about each of them.
//
//	decision about a pod, PluginMigrations, pods, files --New--> Plan --Text--> text
//
// The package is pure: kubectl kongdao reads the objects.
package migrationplan

import (
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/checks"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/migrate"
	"kongdao.io/kongdao/pkg/mutate"
)

// Input is what a plan depends on.
type Input struct {
	// Subject names the pod or the workload.
	Subject string
	Pod     decision.Pod
	// Decision is the decision about the pod.
	Decision *decision.Decision
	// Migrations are the PluginMigrations in the namespace.
	Migrations []v1alpha1.PluginMigration
	// Records are the injection records of the pods in the namespace that have not ended.
	Records []mutate.InjectionRecord
	// Content returns the content of a file of a release. It returns false if the file cannot be read.
	Content func(release *catalog.Release, file catalog.File) ([]byte, bool)
}

// Plan is what runs for a pod.
type Plan struct {
	Subject string `json:"subject"`
	// Problem says why kongdao runs no migrations, or why the pod is denied. It is empty if kongdao runs them.
	Problem string `json:"problem,omitempty"`
	// Database is the database, without a password.
	Database string `json:"database,omitempty"`
	// Name is the PluginMigration. Phase and Message are its state. They are empty if it does not exist yet.
	Name    string         `json:"pluginMigration,omitempty"`
	Phase   v1alpha1.Phase `json:"phase,omitempty"`
	Message string         `json:"message,omitempty"`
	Plugins []Plugin       `json:"plugins,omitempty"`
	// OlderPods says which pods in the namespace have other migrations of the plugins: "2 pods have dao-test@1.0.0". If
	// they use the database, "kong migrations finish" waits for them.
	OlderPods []string `json:"olderPods,omitempty"`
}

// Plugin are the migrations of a release, in the order in which Kong runs them.
type Plugin struct {
	Release    string      `json:"release"`
	Migrations []Migration `json:"migrations"`
	// IsComputed reports whether only Kong knows the migrations.
	IsComputed bool `json:"isComputed,omitempty"`
}

// State says what is known about a migration.
type State string

// The states of a migration.
const (
	// NotExecuted: no PluginMigration says that Kong has executed it.
	NotExecuted State = "new"
	// Executed: Kong has executed it.
	Executed State = "executed"
	// Pending: Kong has executed "up". The teardown runs with "finish".
	Pending State = "pending"
	// Edited: Kong has executed it from another file, and never runs it again.
	Edited State = "edited"
)

// Migration is one migration.
type Migration struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// Up is the SQL that "kong migrations up" runs, if it is still to run.
	Up string `json:"up,omitempty"`
	// HasUpCode and HasTeardown report whether Kong also runs functions with "up" and "finish". UpTexts and TeardownTexts
	// are the strings in these functions that look like SQL.
	HasUpCode     bool     `json:"hasUpCode,omitempty"`
	UpTexts       []string `json:"upTexts,omitempty"`
	HasTeardown   bool     `json:"hasTeardown,omitempty"`
	TeardownTexts []string `json:"teardownTexts,omitempty"`
	// Warnings are about statements that can harm old pods, or take long.
	Warnings []string `json:"warnings,omitempty"`
}

// New makes the plan for a pod.
func New(input Input) Plan {
	plan := Plan{Subject: input.Subject}
	if denials := input.Decision.Denials.Sorted(); len(denials) > 0 {
		plan.Problem = "the webhook denies the pod: " + denials[0].Message
		return plan
	}
	requirement, isRequired := migrate.RequirementOf(input.Pod.Namespace, input.Pod.View, input.Decision.Request,
		input.Decision.Releases)
	if !isRequired {
		plan.Problem = whyNone(input)
		return plan
	}
	plan.Database, plan.Name = requirement.Database.Description, requirement.MigrationName()
	onDatabase := slices.DeleteFunc(slices.Clone(input.Migrations), func(m v1alpha1.PluginMigration) bool {
		return m.Spec.Database.Key != requirement.Database.Key
	})
	for i := range onDatabase {
		if onDatabase[i].Name == plan.Name {
			plan.Phase, plan.Message = onDatabase[i].Status.Phase, onDatabase[i].Status.Message
		}
	}
	for _, release := range input.Decision.Releases {
		if release.MigrationsDigest == "" {
			continue
		}
		plan.Plugins = append(plan.Plugins, planPlugin(input, release, onDatabase))
		plan.OlderPods = append(plan.OlderPods, olderPods(input.Records, release)...)
	}
	return plan
}

// whyNone says why kongdao runs no migrations for a pod.
func whyNone(input Input) string {
	request := input.Decision.Request
	if why := migrate.WhyNotMigrated(input.Pod.View, request, input.Decision.Releases); why != "" {
		return why
	}
	hasMigrations := slices.ContainsFunc(input.Decision.Releases, func(release *catalog.Release) bool {
		return release.MigrationsDigest != ""
	})
	switch {
	case len(request.Plugins) == 0:
		return "the pod requests no plugins"
	case !hasMigrations:
		return "the plugins have no migrations"
	case request.Migrations == annotations.MigrationsOff:
		return fmt.Sprintf("annotation %s is \"off\": you run the migrations", annotations.Migrations)
	}
	return "no Kong container has a database"
}

func planPlugin(input Input, release *catalog.Release, migrations []v1alpha1.PluginMigration) Plugin {
	plugin := Plugin{
		Release:    annotations.PluginRef{Name: release.Plugin, Version: release.Version}.String(),
		Migrations: []Migration{},
	}
	listed := release.Migrations()
	plugin.IsComputed = len(listed) == 0
	for _, known := range listed {
		migration := Migration{Name: known.Name, State: stateOf(release.Plugin, known, migrations)}
		file, exists := release.MigrationFile(known.Name)
		if exists && (migration.State == NotExecuted || migration.State == Pending) {
			migration.addStatements(input, release, file)
		}
		plugin.Migrations = append(plugin.Migrations, migration)
	}
	return plugin
}

// addStatements adds the SQL that is still to run, with the warnings about it.
func (m *Migration) addStatements(input Input, release *catalog.Release, file catalog.File) {
	content, isRead := input.Content(release, file)
	if !isRead {
		m.HasUpCode, m.HasTeardown = true, true
		return
	}
	statements := checks.StatementsOf(content)
	m.HasTeardown, m.TeardownTexts = statements.HasTeardown, statements.TeardownTexts
	if m.State != NotExecuted {
		return
	}
	m.Up, m.HasUpCode, m.UpTexts = statements.Up, statements.HasUpCode, statements.UpTexts
	for _, finding := range release.Findings {
		if finding.File == file.Path && finding.Severity != checks.Note {
			m.Warnings = append(m.Warnings, fmt.Sprintf("line %d: %s", finding.Line, finding.Message))
		}
	}
}

// stateOf returns what the PluginMigrations of a database say about a migration.
func stateOf(plugin string, migration catalog.Migration, migrations []v1alpha1.PluginMigration) State {
	var last *v1alpha1.PluginMigration
	digest := ""
	for i := range migrations {
		known := &migrations[i]
		found := fileDigest(known, plugin, migration.Name)
		if found != "" && migrate.IsMigrated(known) &&
			(last == nil || last.Status.MigratedTime.Before(known.Status.MigratedTime)) {
			last, digest = known, found
		}
	}
	switch {
	case last == nil:
		return NotExecuted
	case digest != migration.Digest:
		return Edited
	case isPending(last, plugin, migration.Name):
		return Pending
	}
	return Executed
}

func fileDigest(migration *v1alpha1.PluginMigration, plugin, name string) string {
	for _, known := range migration.Spec.Plugins {
		for _, file := range known.Migrations {
			if known.Name == plugin && file.Name == name {
				return file.Digest
			}
		}
	}
	return ""
}

// isPending reports whether the status lists a migration as pending: "dao-test: 001_next, 002_last".
func isPending(migration *v1alpha1.PluginMigration, plugin, name string) bool {
	return slices.ContainsFunc(migration.Status.Pending, func(entry string) bool {
		of, names, _ := strings.Cut(entry, ":")
		return of == plugin && slices.Contains(strings.Fields(strings.ReplaceAll(names, ",", " ")), name)
	})
}

// olderPods counts the pods that have a release of the plugin with other migrations.
func olderPods(records []mutate.InjectionRecord, release *catalog.Release) []string {
	counts := map[string]int{}
	for _, record := range records {
		for _, injected := range record.Releases {
			if injected.Plugin == release.Plugin && injected.Migrations != release.MigrationsDigest {
				counts[annotations.PluginRef{Name: injected.Plugin, Version: injected.Version}.String()]++
			}
		}
	}
	var lines []string
	for name, count := range counts {
		text := fmt.Sprintf("%d pods have %s", count, name)
		if count == 1 {
			text = "1 pod has " + name
		}
		lines = append(lines, text)
	}
	slices.Sort(lines)
	return lines
}

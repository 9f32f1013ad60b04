package migrate

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/denial"
)

// decide says what comes next for a record, and notes its status where that is
// another now.
func (p *planner) decide(record *v1alpha1.PluginMigration) {
	status := &record.Status
	switch {
	case isMigrated(record):
		if len(status.Pending) > 0 && status.Phase == v1alpha1.Migrated {
			p.finish(record)
		}
	case status.Phase == "", status.Phase == v1alpha1.Waiting, status.Phase == v1alpha1.Held:
		p.up(record)
	}
	if !equality.Semantic.DeepEqual(p.before(record).Status, *status) {
		p.plan.Changes[record.Name] = *status
	}
}

// before is a record as it is written down.
func (p *planner) before(record *v1alpha1.PluginMigration) *v1alpha1.PluginMigration {
	return &p.Records[slices.IndexFunc(p.Records, func(before v1alpha1.PluginMigration) bool { return before.Name == record.Name })]
}

// up starts "kong migrations up", or says what it waits for.
func (p *planner) up(record *v1alpha1.PluginMigration) {
	status := &record.Status
	edited := p.edited(record)
	if len(edited) > 0 && record.Annotations[annotations.AcceptEdited] != "true" {
		status.Phase = v1alpha1.Held
		say(status, p.Now, v1alpha1.ReasonEdited, fmt.Sprintf("%s; Kong never runs an edited migration again: put the file back, or add another migration; "+
			"if the change makes no difference, \"kubectl annotate pluginmigration %s %s=true\"", strings.Join(edited, "; "), record.Name, annotations.AcceptEdited))
		return
	}
	status.Phase = v1alpha1.Waiting
	at := slices.IndexFunc(p.Pods, func(pod Pod) bool {
		return pod.Namespace == p.Namespace && !pod.Ending && pod.record() == record.Name
	})
	if at < 0 {
		say(status, p.Now, v1alpha1.ReasonNoPods, "no pod needs it any more")
		return
	}
	if status.RetryTime != nil && p.Now.Before(status.RetryTime) {
		p.again(*status.RetryTime)
		return
	}
	start := Start{Record: record.Name, Step: Up, Finish: FinishNone, From: p.Pods[at]}
	if p.mode(record) == annotations.MigrationsAuto && !p.mayFinish(record, &start) {
		return
	}
	p.start(record, start)
}

// mayFinish says which pending migrations the Job of an "up" may finish before,
// or what has to happen first.
func (p *planner) mayFinish(record *v1alpha1.PluginMigration, start *Start) bool {
	status := &record.Status
	if other := p.unfinished(record); other != nil {
		say(status, p.Now, v1alpha1.ReasonPendingFirst, fmt.Sprintf("PluginMigration %q has to be finished first (%s); %s",
			other.Name, oneLine(strings.Join(other.Status.Pending, "; ")), orderOut(other)))
		return false
	}
	if len(p.running) == 0 {
		start.Finish = FinishAll // there is no Kong that could need what finishing takes away (K31)
		return true
	}
	if len(status.Blocked) > 0 {
		if _, reason, why := p.finishable(record, status.Blocked); why != "" {
			say(status, p.Now, reason, fmt.Sprintf("migrations are pending that have to be finished first (%s): %s", oneLine(strings.Join(status.Blocked, "; ")), why))
			return false
		}
		start.Finish, start.Pending = FinishNamed, status.Blocked
	}
	return true
}

// orderOut says what an unfinished record waits for, and how to come out of it.
func orderOut(other *v1alpha1.PluginMigration) string {
	if other.Status.Message == "" {
		return "that comes next"
	}
	return "which waits: " + other.Status.Message
}

// finish starts "kong migrations finish", or says what it waits for.
func (p *planner) finish(record *v1alpha1.PluginMigration) {
	status := &record.Status
	if status.RetryTime != nil && p.Now.Before(status.RetryTime) {
		p.again(*status.RetryTime)
		return
	}
	if p.mode(record) != annotations.MigrationsAuto {
		say(status, p.Now, v1alpha1.ReasonManual, fmt.Sprintf("pending: %s; annotation %s leaves \"kong migrations finish\" to a person; \"kubectl annotate pluginmigration %s %s=%s\" has it run",
			oneLine(strings.Join(status.Pending, "; ")), annotations.Migrations, record.Name, annotations.Migrations, annotations.MigrationsAuto))
		return
	}
	from, reason, why := p.finishable(record, status.Pending)
	if why != "" {
		say(status, p.Now, reason, fmt.Sprintf("pending: %s; %s", oneLine(strings.Join(status.Pending, "; ")), why))
		return
	}
	p.start(record, Start{Record: record.Name, Step: Finish, Finish: FinishNamed, Pending: status.Pending, From: *from})
}

// mode is the record's own, else the most careful one of its pods.
func (p *planner) mode(record *v1alpha1.PluginMigration) annotations.MigrationsMode {
	if value, ok := record.Annotations[annotations.Migrations]; ok {
		if mode, err := annotations.ParseMigrations(value); err == nil {
			return mode
		}
	}
	for _, pod := range p.of(record) {
		if pod.Requirement.Mode == annotations.MigrationsUp {
			return annotations.MigrationsUp
		}
	}
	return annotations.MigrationsAuto
}

// start starts a Job, unless one runs on the database: of two plugin sets, and
// of two steps, one comes after the other.
func (p *planner) start(record *v1alpha1.PluginMigration, start Start) {
	switch {
	case p.busy != "":
		say(&record.Status, p.Now, v1alpha1.ReasonOtherRuns, p.busy+" runs on the same database")
		return
	case p.plan.Start != nil:
		say(&record.Status, p.Now, v1alpha1.ReasonOtherRuns, fmt.Sprintf("PluginMigration %q comes first on the same database", p.plan.Start.Record))
		return
	case start.Step == Finish && !isMigrated(p.before(record)):
		return // what "up" came to is written down first: who ends between would not know of it
	}
	start.Attempt = record.Status.Attempts + 1
	p.plan.Start = &start
}

// unfinished is another record whose migrations are pending, which keeps every
// "up" of the database from running (K11). One that is left to a person is not
// waited for: only Kong knows whether the person has finished it.
func (p *planner) unfinished(record *v1alpha1.PluginMigration) *v1alpha1.PluginMigration {
	for _, other := range p.records {
		if other.Name != record.Name && isMigrated(other) && len(other.Status.Pending) > 0 && p.mode(other) == annotations.MigrationsAuto {
			return other
		}
	}
	return nil
}

// edited says which migrations were executed from another file than the
// record's (K9), by the record that executed each last.
func (p *planner) edited(record *v1alpha1.PluginMigration) []string {
	var found []string
	for _, plugin := range record.Spec.Plugins {
		for _, migration := range plugin.Migrations {
			executed := p.executed(plugin.Name, migration.Name)
			if executed != "" && migration.Digest != "" && executed != migration.Digest {
				found = append(found, fmt.Sprintf("plugin %q: migration %s was executed from a file with digest %s and its file now has %s",
					plugin.Name, denial.Quote(migration.Name), executed, migration.Digest))
			}
		}
	}
	return found
}

// executed is the digest of the file that a migration was last executed from,
// or found executed with; "" where no record knows.
func (p *planner) executed(plugin, migration string) string {
	if last := p.lastWith(plugin, migration); last != nil {
		return digestIn(last, plugin, migration)
	}
	return ""
}

func (p *planner) lastWith(plugin, migration string) *v1alpha1.PluginMigration {
	var last *v1alpha1.PluginMigration
	for _, record := range p.records {
		if isMigrated(record) && digestIn(record, plugin, migration) != "" &&
			(last == nil || last.Status.MigratedTime.Before(record.Status.MigratedTime)) {
			last = record
		}
	}
	return last
}

func digestIn(record *v1alpha1.PluginMigration, plugin, migration string) string {
	for _, known := range record.Spec.Plugins {
		if known.Name != plugin {
			continue
		}
		for _, one := range known.Migrations {
			if one.Name == migration {
				return one.Digest
			}
		}
	}
	return ""
}

// oneLine is a text as part of a sentence.
func oneLine(text string) string {
	const longest = 500
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "..."
	}
	return text
}

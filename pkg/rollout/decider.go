package rollout

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/upgrade"
)

// decider is one call of Decide.
type decider struct {
	workload Workload
	facts    Facts
	request  annotations.Request
}

// present is the release that a workload has of a plugin.
type present struct {
	ref annotations.PluginRef
	// digest is "" if it is unknown.
	digest string
}

// isOlderThan reports whether a release has a newer version, or the same version with changed sources.
func (p present) isOlderThan(release *catalog.Release) bool {
	order := catalog.CompareVersions(p.ref.Version, release.Version)
	return order < 0 || order == 0 && isMutable(release) && p.digest != "" && p.digest != release.Digest
}

// presentOf returns the release of a plugin that the template names, or else the one that the newest pod has. It
// returns false if there is neither.
func (d *decider) presentOf(plugin string, needsDigest bool) (found present, known bool, err error) {
	pin, isPinned := annotations.ByName(d.request.Pins)[plugin]
	digests := parseDigests(d.workload.Template.Annotations[annotations.Digests])
	if isPinned && (!needsDigest || digests[plugin] != "") {
		return present{pin, digests[plugin]}, true, nil
	}
	running, err := d.facts.Running()
	if err != nil {
		return present{}, false, err
	}
	for _, release := range running {
		if release.Plugin == plugin && (!isPinned || release.Version == pin.Version) {
			ref := annotations.PluginRef{Name: plugin, Version: release.Version, IsPin: true}
			return present{ref, release.Digest}, true, nil
		}
	}
	return present{ref: pin}, isPinned, nil
}

// rolledOut returns the digests of the last automatic rollouts by release.
func (d *decider) rolledOut() map[string]string {
	return parseDigests(d.workload.Annotations[annotations.RolledOut])
}

// parseDigests parses an annotation with a JSON object. Users can write anything: a malformed value has no digests.
func parseDigests(value string) map[string]string {
	var digests map[string]string
	if err := json.Unmarshal([]byte(value), &digests); err != nil || digests == nil {
		return map[string]string{}
	}
	return digests
}

// move is a plugin that moves to a release.
type move struct {
	from, to annotations.PluginRef
	release  *catalog.Release
}

// moves returns the plugins that move. The newest decision is about the template without pins for the candidates. It
// returns false if sources have just changed.
func (d *decider) moves(
	candidates []string, newest *decision.Decision,
) (moves []move, isSettled bool, err error) {
	rolledOut := d.rolledOut()
	for i, ref := range newest.Request.Plugins {
		release := newest.Releases[i]
		if !slices.Contains(candidates, ref.Name) || ref.Version != "" || ref.IsPin {
			continue
		}
		current, known, err := d.presentOf(ref.Name, isMutable(release))
		if err != nil {
			return nil, false, err
		}
		to := annotations.PluginRef{Name: ref.Name, Version: release.Version, IsPin: true}
		if !known || !current.isOlderThan(release) || rolledOut[to.String()] == release.Digest {
			continue
		}
		for _, namespace := range newest.Origins[ref.Name].Namespaces(d.workload.Namespace) {
			if !d.facts.IsSettled(namespace, ref.Name) {
				return nil, false, nil
			}
		}
		moves = append(moves, move{current.ref, to, release})
	}
	return moves, true, nil
}

// start completes the outcome with the moves, unless something has to end first.
func (d *decider) start(moves []move, newest *decision.Decision, outcome Outcome) (Outcome, error) {
	names := make([]string, len(moves))
	targets := make([]annotations.PluginRef, len(moves))
	for i, move := range moves {
		names[i], targets[i] = move.to.Name, move.to
		outcome.Changes = append(outcome.Changes,
			upgrade.NewChange(d.workload.Namespace, move.from, move.to, newest, d.facts.Cluster))
	}
	pins := decision.Pins{Kept: without(d.request.Pins, names)}
	value := pins.Value(targets)
	outcome.Workload = map[string]string{
		annotations.RolledOut:        d.nextRolledOut(moves),
		annotations.PreviousReleases: d.workload.Template.Annotations[annotations.Releases],
	}
	outcome.Template = map[string]string{annotations.Releases: value}
	if digests := d.nextDigests(moves); digests != "" {
		outcome.Template[annotations.Digests] = digests
	}
	reason, err := d.holdReason(withPins(d.workload.Template, slices.Concat(pins.Kept, targets)))
	if err != nil {
		return Outcome{}, err
	}
	outcome.State = Moves
	if reason != "" {
		outcome.State, outcome.Workload, outcome.Template = Held, nil, nil
	}
	outcome.Message = describe(outcome.Changes, reason)
	return outcome, nil
}

// describe says what moves, or waits because of a reason.
func describe(changes []upgrade.Change, reason string) string {
	lines := make([]string, len(changes))
	for i, change := range changes {
		lines[i] = change.String()
	}
	text := strings.Join(lines, "; ")
	if reason != "" {
		return fmt.Sprintf("%s: waits, because %s", text, reason)
	}
	return text
}

// nextRolledOut returns the value of annotation kongdao.io/rolled-out after the moves. Each plugin has one release.
func (d *decider) nextRolledOut(moves []move) string {
	releases := d.rolledOut()
	for _, move := range moves {
		for ref := range releases {
			if name, _, _ := strings.Cut(ref, "@"); name == move.to.Name {
				delete(releases, ref)
			}
		}
		releases[move.to.String()] = move.release.Digest
	}
	return toJSON(releases)
}

// nextDigests returns the value of annotation kongdao.io/release-digests after the moves, "" for none.
func (d *decider) nextDigests(moves []move) string {
	digests := parseDigests(d.workload.Template.Annotations[annotations.Digests])
	for _, move := range moves {
		delete(digests, move.to.Name)
		if isMutable(move.release) {
			digests[move.to.Name] = move.release.Digest
		}
	}
	if len(digests) == 0 {
		return ""
	}
	return toJSON(digests)
}

func toJSON(values map[string]string) string {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // strings always encode
	}
	return string(text)
}

// holdReason returns why a move must wait, "" if nothing prevents it.
func (d *decider) holdReason(moved mutate.Pod) (string, error) {
	if !d.workload.Progress.Done || d.workload.Progress.Failed {
		return "the present rollout is not complete: " + d.workload.Progress.Message, nil
	}
	for _, template := range []mutate.Pod{d.workload.Template, moved} {
		migration, err := d.stoppedMigration(template)
		if err != nil || migration != "" {
			return migration, err
		}
	}
	return "", nil
}

// stoppedMigration describes the PluginMigration of a template if it is failed or held, or else returns "".
func (d *decider) stoppedMigration(template mutate.Pod) (string, error) {
	cluster := d.facts.Cluster
	cluster.IsMigrated = func(string, string) (bool, error) { return false, nil } // to learn the name
	admitted, err := decision.Admit(decision.Pod{Namespace: d.workload.Namespace, View: template}, cluster)
	if err != nil || admitted.Migration == "" {
		return "", err
	}
	migration := d.facts.Migration(admitted.Migration)
	if migration == nil {
		return "", nil
	}
	switch migration.Status.Phase {
	case v1alpha1.PhaseFailed, v1alpha1.PhaseHeld:
		return fmt.Sprintf("PluginMigration %q is %s: %s", migration.Name, migration.Status.Phase,
			migration.Status.Message), nil
	}
	return "", nil
}

// isRolledOut reports whether the template has a release of an automatic rollout.
func (d *decider) isRolledOut() bool {
	rolledOut := d.rolledOut()
	return slices.ContainsFunc(d.request.Pins, func(pin annotations.PluginRef) bool {
		return rolledOut[pin.String()] != ""
	})
}

// failure returns why the last automatic rollout does not succeed, "" if it does, or if the template changed later.
func (d *decider) failure() (string, error) {
	if !d.isRolledOut() || d.workload.Progress.Done {
		return "", nil
	}
	migration, err := d.stoppedMigration(d.workload.Template)
	if err != nil || migration != "" {
		return migration, err
	}
	return d.workload.Stuck, nil
}

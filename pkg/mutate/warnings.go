package mutate

import (
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
)

// warnings collects warnings. A warning that applies to several containers, such as the three of Kong's chart, becomes
// one sentence.
type warnings struct {
	// general are warnings about no container.
	general []string
	// byText has the names of the containers that a text applies to.
	byText map[string][]string
}

// add adds a warning about a container.
func (w *warnings) add(container *Container, format string, args ...any) {
	if w.byText == nil {
		w.byText = map[string][]string{}
	}
	text := fmt.Sprintf(format, args...)
	w.byText[text] = append(w.byText[text], container.Name)
}

// sorted returns the warnings, sorted.
func (w *warnings) sorted() []string {
	sentences := w.general
	for text, names := range w.byText {
		sentences = append(sentences, quoteAll("container", names)+": "+text)
	}
	slices.Sort(sentences)
	return sentences
}

// quoteAll names things for a sentence: container "a"; containers "a" and "b".
func quoteAll(noun string, names []string) string {
	if len(names) > 1 {
		noun += "s"
	}
	return noun + " " + denial.QuoteNames(names)
}

// addMutableSources warns of sources that can change while pods use them.
func (w *warnings) addMutableSources(releases []*catalog.Release) {
	for _, release := range releases {
		var mutable []string
		for _, file := range release.Files {
			if !file.Immutable && !slices.Contains(mutable, file.Source) {
				mutable = append(mutable, file.Source)
			}
		}
		if len(mutable) == 0 {
			continue
		}
		verb := "is"
		if len(mutable) > 1 {
			verb = "are"
		}
		w.general = append(w.general, fmt.Sprintf(
			"plugin %q: %s %s not immutable: edits reach running pods, but Kong never runs an edited migration again; "+
				"create immutable ones with \"kubectl kongdao pack\"",
			release.Plugin, denial.QuoteConfigMaps(mutable), verb))
	}
}

// addMode warns of plugins with entities if Kong has no database to write them to (fact K18).
func (w *warnings) addMode(container *Container, releases []*catalog.Release) {
	format := ""
	role, database := container.Env.lookup(envRole), container.Env.lookup(envDatabase)
	switch {
	case role != nil && strings.Trim(role.Value, space) == "data_plane":
		format = "KONG_ROLE is data_plane, where Kong can only read the entities of %s; " +
			"add the plugin to the control plane too"
	case database != nil && strings.Trim(database.Value, space) == "off":
		format = "KONG_DATABASE is off, and requests that write the entities of %s answer 500; " +
			"Kong needs a database to write them"
	default:
		return
	}
	var plugins []string
	for _, release := range releases {
		if release.HasEntities() {
			plugins = append(plugins, release.Plugin)
		}
	}
	if len(plugins) > 0 {
		w.add(container, format, quoteAll("plugin", plugins))
	}
}

// addOverridden warns of a variable that envFrom may set: a variable in env overrides it (fact P2).
func (w *warnings) addOverridden(container *Container, change edit) {
	for _, from := range container.EnvFrom {
		if strings.HasPrefix(change.name, from.Prefix) {
			w.add(container, "a %s from %s (envFrom) is overridden by %q; to keep it, set it in env with valueFrom",
				change.name, from.Origin, change.value)
		}
	}
}

// addValueFrom warns of a value that is unknown at admission.
func (w *warnings) addValueFrom(container *Container, change edit) {
	if change.name == envPlugins {
		w.add(container, "%s comes from a valueFrom and becomes %q; check that the value exists and is not empty, "+
			"because otherwise Kong does not start; \"off\" does not disable the plugin", change.name, change.value)
	}
}

// addReplaced warns that the old elements of KONG_PLUGINS are replaced.
func (w *warnings) addReplaced(container *Container, change edit) {
	if change.name != envPlugins {
		return
	}
	if because := replacedBecause(change.old.Value); because != "" {
		w.add(container, "%s changes from %q to %q, because %s", change.name, change.old.Value, change.value, because)
	}
}

// addHidden warns that a variable replaces a setting which the pod may have elsewhere: in a configuration file, or in
// an image that is not Kong's own.
func (w *warnings) addHidden(container *Container, change edit) {
	file := container.configurationFile()
	setting := strings.ToLower(strings.TrimPrefix(change.name, "KONG_"))
	switch {
	case len(container.EnvFrom) > 0: // addOverridden
	case file != "":
		w.add(container, "%s becomes %q, which replaces %q in %q; if the file has it, set %s in env to that value",
			change.name, change.value, setting, file, change.name)
	case change.name == envPlugins && !container.hasKongImage():
		w.add(container, "%s becomes %q, which replaces a list that the image %s may have in its own variables; "+
			"if it has one, set %s in env to that list", change.name, change.value, denial.Quote(container.Image), change.name)
	}
}

// addCommand warns of settings in the command: they replace those of the pod, and the Job of a migration lacks them.
func (w *warnings) addCommand(container *Container) {
	for _, setting := range container.settingsOfCommand() {
		switch setting {
		case envPlugins, envPackagePath:
			w.add(container, "the command sets %s and replaces the value that kongdao sets, so Kong may not find the plugins; "+
				"set it in env instead", setting)
		default:
			w.add(container, "the command sets %s, which the Job of a migration does not have; set it in env instead, with "+
				"valueFrom or with a file in %s%s", setting, setting, fileSuffix)
		}
	}
}

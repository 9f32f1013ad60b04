package mutate

import (
	"bytes"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/jsonview"
)

// mentionsSettings reports whether a command or its arguments may set decisive variables of Kong, or name a
// configuration file. Those of Kong's chart do not, so they cost nothing.
func mentionsSettings(text []byte) bool {
	contains := func(part string) bool { return bytes.Contains(text, []byte(part)) }
	return contains("KONG_PG_") || contains(envPlugins+"=") || contains(envPackagePath+"=") || contains(envDatabase+"=") ||
		contains(`"kong"`) && (contains(`"-c"`) || contains("--conf"))
}

// words returns the elements of the command and the arguments.
func (c *Container) words() []string {
	var words []string
	for _, text := range c.commandTexts {
		d := jsonview.New(text)
		for ok := d.Array(); ok && d.More(); {
			words = append(words, d.String())
		}
	}
	return words
}

// settingsOfCommand returns the settings that the command of a container sets, such as in
// "export KONG_PG_PASSWORD=$(cat /secret)". It returns only those that an injection or a migration depends on, sorted.
func (c *Container) settingsOfCommand() []string {
	var settings []string
	for _, word := range c.words() {
		for rest := word; ; {
			before, after, found := strings.Cut(rest, "KONG_")
			if !found {
				break
			}
			end := strings.IndexFunc(after, func(r rune) bool { return !isNameRune(r) })
			isReference := strings.HasSuffix(before, "$") || strings.HasSuffix(before, "{") ||
				strings.LastIndexFunc(before, isNameRune) == len(before)-1 && before != ""
			if end > 0 && after[end] == '=' && !isReference && isDecisive("KONG_"+after[:end]) {
				settings = append(settings, "KONG_"+after[:end])
			}
			rest = after
		}
	}
	slices.Sort(settings)
	return slices.Compact(settings)
}

func isNameRune(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

// isDecisive reports whether an injection or a migration depends on a setting.
func isDecisive(name string) bool {
	switch name {
	case envPlugins, envPackagePath, envDatabase:
		return true
	}
	return strings.HasPrefix(name, "KONG_PG_")
}

// configurationFile returns the configuration file of Kong that the container names or mounts, or "".
func (c *Container) configurationFile() string {
	words := c.words()
	for i, word := range words {
		if file, ok := strings.CutPrefix(word, "--conf="); ok {
			return file
		}
		if (word == "-c" || word == "--conf") && i+1 < len(words) && slices.Contains(words[:i], "kong") {
			return words[i+1]
		}
	}
	for i := range c.VolumeMounts {
		if mountPath := strings.TrimSuffix(c.VolumeMounts[i].MountPath, "/"); slices.Contains(defaultFiles(), mountPath) {
			return mountPath
		}
	}
	return ""
}

// defaultFiles are the configuration files that Kong reads by default, and their folder.
func defaultFiles() []string { return []string{"/etc/kong/kong.conf", "/etc/kong.conf", "/etc/kong"} }

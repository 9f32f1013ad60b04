package migrate

import (
	"fmt"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/mutate"
)

// WhyNotMigrated returns why kongdao runs no migrations for a pod although its plugins have some, and what to do. It
// returns "" if kongdao runs them, or does not have to. The plugins may have none, a person may run them (the
// annotation says so), or no Kong in the pod may have a database.
func WhyNotMigrated(pod mutate.Pod, request annotations.Request, releases []*catalog.Release) string {
	plugins := pluginsOfReleases(releases)
	container := mutate.KongContainer(pod, request)
	if len(plugins) == 0 || request.Migrations == annotations.MigrationsOff || container == nil {
		return ""
	}
	if _, reachable := DatabaseOf("", &pod, container, request.MigrationsWith); reachable {
		return ""
	}
	names := make([]string, len(plugins))
	for i, plugin := range plugins {
		names[i] = plugin.Name
	}
	cause := fmt.Sprintf("container %q does not show its database, because it has no variable %s; set it in env",
		container.Name, mutate.EnvHost)
	if host, set := pod.Value(container, mutate.EnvHost); set {
		cause = fmt.Sprintf("%s of container %q is %s, and only this pod can reach that; name the container that forwards "+
			"to the database in annotation %s", mutate.EnvHost, container.Name, denial.Quote(host.Text),
			annotations.MigrationsWith)
	}
	return fmt.Sprintf("kongdao does not run the migrations of %s: %s, or run the migrations yourself and set annotation "+
		"%s to \"off\"", pluralOf("plugin", names)+" "+denial.QuoteNames(names), cause, annotations.Migrations)
}

func pluralOf(noun string, names []string) string {
	if len(names) == 1 {
		return noun
	}
	return noun + "s"
}

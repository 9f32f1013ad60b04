package admission

import (
	"context"
	"fmt"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
)

// warnUsers warns about the pods that need the release of a deleted source.
func (s *Sources) warnUsers(ctx context.Context, deleted *catalog.Source, answer *response) {
	source := deletedSource{namespace: deleted.Namespace, name: deleted.Name, release: annotations.PluginRef{
		Name: deleted.Plugin, Version: deleted.Version,
	}}
	users, err := s.Cluster.usersOf(ctx, source)
	if err != nil {
		answer.warn(resultFailed, "release %q: kongdao cannot check which pods need it: %v", source.release, err)
	}
	if len(users.denied) > 0 {
		answer.warn(resultWarned, "release %q: without this ConfigMap, new pods of %s are denied; create it again, or move "+
			"them to another release", source.release, describeNames(users.denied))
	}
	if len(users.pods) > 0 {
		answer.warn(resultWarned, "release %q: pods run with it and continue: %s", source.release, describeNames(users.pods))
	}
}

// maxNamedUsers limits the objects that a warning names.
const maxNamedUsers = 3

// describeNames lists the first names, and counts the others.
func describeNames(names []string) string {
	if others := len(names) - maxNamedUsers; others > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamedUsers], ", "), others)
	}
	return strings.Join(names, ", ")
}

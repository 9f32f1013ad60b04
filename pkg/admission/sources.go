package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kongdao.io/kongdao/pkg/annotations"
)

// Sources handles reviews of sources that are deleted. It warns if pods need the release. It never denies a deletion.
type Sources struct {
	Cluster *Cluster
	Metrics *Metrics
	Log     logr.Logger
}

// ServeHTTP implements http.Handler.
func (s *Sources) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	s.reviewer().ServeHTTP(writer, request)
}

func (s *Sources) reviewer() reviewer {
	return reviewer{endpointSources, "source", s.Metrics, s.Log, s.admit, "did not check whether pods need this ConfigMap"}
}

// admit checks which pods need the release of a deleted source.
func (s *Sources) admit(ctx context.Context, request admission.Request) response {
	answer := allowed()
	var deleted metav1.PartialObjectMetadata
	if err := json.Unmarshal(request.OldObject.Raw, &deleted); err != nil {
		answer.warn(resultMalformed, "kongdao cannot read the ConfigMap that is deleted: %v", err)
		return answer
	}
	source := deletedSource{namespace: request.Namespace, name: request.Name, release: annotations.PluginRef{
		Name: deleted.Labels[annotations.Plugin], Version: deleted.Labels[annotations.PluginVersion],
	}}
	if source.release.Name == "" {
		return answer
	}
	ctx, cancel := withLiveReadDeadline(ctx)
	defer cancel()
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
	return answer
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

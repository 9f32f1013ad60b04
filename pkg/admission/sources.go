package admission

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/sourcereview"
)

// Sources handles reviews of sources. It denies a source that makes Kong fail for sure, and warns about the rest. It
// never denies a deletion, and warns if pods need the release.
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
	return reviewer{endpointSources, "source", s.Metrics, s.Log, s.admit, "did not check this ConfigMap"}
}

// admit reviews a source that is written or deleted. An update that moves a source to another release is a deletion for
// the old release.
func (s *Sources) admit(ctx context.Context, request admission.Request) response {
	answer := allowed()
	before, err := decodeSource(request.OldObject.Raw)
	if err != nil {
		answer.warn(resultMalformed, "kongdao cannot read the old ConfigMap: %v", err)
		return answer
	}
	after, err := decodeSource(request.Object.Raw)
	if err != nil {
		answer.warn(resultMalformed, "kongdao cannot read the ConfigMap: %v", err)
		return answer
	}
	ctx, cancel := withLiveReadDeadline(ctx)
	defer cancel()
	isGone := after == nil || before != nil && (after.Plugin != before.Plugin || after.Version != before.Version)
	if before != nil && before.Plugin != "" && isGone {
		s.warnUsers(ctx, before, &answer)
	}
	if after != nil && after.Plugin != "" && (before == nil || !after.IsSameRelease(before)) {
		s.review(ctx, after, &answer)
	}
	return answer
}

// decodeSource returns the source in a review, or nil if there is none.
func decodeSource(raw []byte) (*catalog.Source, error) {
	if len(raw) == 0 {
		return nil, nil //nolint:nilnil // a creation has no old object, and a deletion no new one
	}
	var configMap corev1.ConfigMap
	if err := json.Unmarshal(raw, &configMap); err != nil {
		return nil, err
	}
	source := catalog.NewSource(&configMap)
	return &source, nil
}

// review reviews a source that is created or changed.
func (s *Sources) review(ctx context.Context, source *catalog.Source, answer *response) {
	release := s.releaseWith(source)
	executed, err := s.Cluster.executed(ctx, source)
	if err != nil {
		answer.warn(resultFailed, "kongdao cannot check which migrations Kong has executed: %v", err)
	}
	review := sourcereview.New(source, release, executed)
	for _, warning := range review.Warnings {
		answer.warn(resultWarned, "%s", warning)
	}
	if len(review.Forced) > 0 {
		answer.setAudit(auditForced, strings.Join(review.Forced, ","))
	}
	if len(review.Denials) > 0 {
		ref := annotations.PluginRef{Name: source.Plugin, Version: source.Version}
		answer.deny(denial.List{denial.New(denial.BrokenPlugin,
			"plugin %q: %s; to write the ConfigMap anyway, set its annotation %s: \"true\"",
			ref, strings.Join(review.Denials, "; "), annotations.Force)})
	}
}

// releaseWith returns the release of a source after the source is written.
func (s *Sources) releaseWith(source *catalog.Source) *catalog.Release {
	releases := s.Cluster.Sources.ReleasesWith(*source)
	for _, release := range releases {
		if release.AllVersions || release.Version == source.Version {
			return release
		}
	}
	return &catalog.Release{Plugin: source.Plugin, Version: source.Version}
}

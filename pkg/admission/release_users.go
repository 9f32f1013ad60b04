package admission

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/pkg/workloads"
)

// deletedSource is a source that is deleted, with the release that it belongs to.
type deletedSource struct {
	namespace, name string
	release         annotations.PluginRef
}

// isUsedBy reports whether pods of a namespace get the release of the source. The library is the namespace that a
// release is copied from, or "".
func (s deletedSource) isUsedBy(namespace, library, plugin, version string) bool {
	from := library
	if from == "" {
		from = namespace
	}
	return from == s.namespace && plugin == s.release.Name && version == s.release.Version
}

// releaseUsers are objects that use a release, by kind and name, sorted.
type releaseUsers struct {
	// denied are the workloads whose new pods are denied without the release.
	denied []string
	// pods have the release. They continue to run without it.
	pods []string
}

// usersOf reads from the API server what uses the release of a source. A library has users in all namespaces. After an
// error, it returns what it found before.
func (c *Cluster) usersOf(ctx context.Context, source deletedSource) (releaseUsers, error) {
	namespace := c.Policies.UsersOf(source.namespace)
	var users releaseUsers
	for object, err := range workloads.All(ctx, c.Live, namespace, workloads.Kinds()) {
		if err != nil {
			return users, err
		}
		denied, err := c.isDeniedWithout(ctx, source, object)
		if err != nil {
			return users, err
		}
		if denied {
			users.denied = append(users.denied, workloads.Describe(object))
		}
	}
	slices.Sort(users.denied)
	var err error
	users.pods, err = c.podsWith(ctx, source, namespace)
	return users, err
}

// isDeniedWithout reports whether new pods of a workload get the release of a source, and are denied without it.
func (c *Cluster) isDeniedWithout(ctx context.Context, source deletedSource, object client.Object) (bool, error) {
	policies, err := c.Policies.Of(ctx, object.GetNamespace())
	if err != nil {
		return false, err
	}
	if !mayRequest(source.release.Name, workloads.Template(object).Annotations, policies) {
		return false, nil
	}
	view, err := workloads.TemplateView(object)
	if err != nil {
		return false, err
	}
	pod := decision.Pod{Namespace: object.GetNamespace(), View: view}
	present, err := decision.Admit(pod, decision.Cluster{Policies: policies, Releases: c.Sources.Releases})
	if err != nil || len(present.Denials) > 0 {
		return false, err
	}
	uses := slices.ContainsFunc(present.Releases, func(release *catalog.Release) bool {
		return source.isUsedBy(pod.Namespace, release.Library, release.Plugin, release.Version)
	})
	if !uses {
		return false, nil
	}
	remaining := func(namespace, plugin string) []*catalog.Release {
		if namespace == source.namespace {
			return c.Sources.ReleasesWithout(namespace, plugin, source.name)
		}
		return c.Sources.Releases(namespace, plugin)
	}
	after, err := decision.Admit(pod, decision.Cluster{Policies: policies, Releases: remaining})
	return len(after.Denials) > 0, err
}

// mayRequest reports whether pods with these annotations may get a plugin. It is a cheap filter.
func mayRequest(plugin string, podAnnotations map[string]string, policies []*policy.Policy) bool {
	isPlugin := func(ref annotations.PluginRef) bool { return ref.Name == plugin }
	request, _ := annotations.Parse(podAnnotations) // a malformed annotation requests nothing
	return slices.ContainsFunc(request.Plugins, isPlugin) || slices.ContainsFunc(policies, func(p *policy.Policy) bool {
		return slices.ContainsFunc(p.Plugins, isPlugin)
	})
}

// podsWith reads the metadata of the pods in a namespace, or in all namespaces, that have the release of a source.
func (c *Cluster) podsWith(ctx context.Context, source deletedSource, namespace string) ([]string, error) {
	var found []string
	isInjected := client.MatchingLabels{annotations.Injected: "true"}
	for pod, err := range clusterstate.PodMetadata(ctx, c.Live, namespace, isInjected) {
		if err != nil {
			return found, err
		}
		record, _ := mutate.ParseInjectionRecord(pod.Annotations) // a forged record only adds a name to a warning
		if slices.ContainsFunc(record.Releases, func(release mutate.ReleaseRecord) bool {
			return source.isUsedBy(pod.Namespace, release.Library, release.Plugin, release.Version)
		}) {
			found = append(found, fmt.Sprintf("Pod %q", pod.Namespace+"/"+pod.Name))
		}
	}
	slices.Sort(found)
	return found, nil
}

package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/decision"
)

// pin adds the releases that the template's pods get to the propagation. If it has decided about exactly this template,
// it returns the decision, and otherwise nil.
func (w *Workloads) pin(
	ctx context.Context, request admission.Request, workload, old *workload,
	propagation *annotations.Propagation, answer *response,
) *decision.Decision {
	template := workload.template
	template.Annotations = propagation.Apply(template.Annotations)
	var before map[string]string
	if len(request.OldObject.Raw) > 0 {
		before = (&annotations.Propagation{}).Apply(old.template.Annotations) // not nil: it is an update
	}
	pins, ok := decision.PinsOf(template.Annotations, before)
	if !ok {
		return nil
	}
	pod := decision.Pod{Namespace: request.Namespace, View: template}
	resolved, decided, err := w.Cluster.resolvePins(ctx, pod, pins, workload.selector)
	if err != nil {
		answer.warn(resultFailed, "kongdao cannot choose releases for this %s: %v", request.Kind.Kind, err)
		return nil
	}
	propagation.SetPins(workload.template.Annotations, pins.Value(resolved))
	if pins.Value(resolved) != template.Annotations[annotations.Releases] {
		return nil
	}
	return decided
}

// resolvePins chooses the releases of the plugins that need a pin. If it has to decide about the template for that, it
// returns the decision.
func (c *Cluster) resolvePins(
	ctx context.Context, template decision.Pod, pins decision.Pins, selector []byte,
) (resolved []annotations.PluginRef, decided *decision.Decision, err error) {
	newest := slices.Clone(pins.New)
	if len(pins.Unpinned) > 0 {
		running, err := c.runningReleases(ctx, template.Namespace, selector)
		if err != nil {
			return nil, nil, err
		}
		for _, plugin := range pins.Unpinned {
			if pin, runs := running[plugin]; runs {
				resolved = append(resolved, pin)
			} else {
				newest = append(newest, plugin)
			}
		}
	}
	if len(newest) == 0 {
		return resolved, nil, nil
	}
	decision, err := c.admitTemplate(ctx, template)
	if err != nil {
		return nil, nil, err
	}
	namespaces := map[string]sets.Set[string]{}
	for _, plugin := range newest {
		for _, namespace := range decision.Origins[plugin].Namespaces(template.Namespace) {
			if namespaces[namespace] == nil {
				namespaces[namespace] = sets.Set[string]{}
			}
			namespaces[namespace].Insert(plugin)
		}
	}
	if err := c.awaitSources(ctx, namespaces); err != nil {
		return nil, nil, err
	}
	// The first decision may be older than the sources, also if the cache had them at the first look.
	if decision, err = c.admitTemplate(ctx, template); err != nil {
		return nil, nil, err
	}
	return append(resolved, decision.PinsTo(newest)...), &decision, nil
}

// pinToSiblings decides again about a pod whose template has no pins, so that it gets the releases of the other pods of
// its template. Otherwise a new release would reach pods that are evicted or scaled out.
func (c *Cluster) pinToSiblings(
	ctx context.Context, pod decision.Pod, newest decision.Decision, facts decision.Cluster,
) decision.Decision {
	if pod.OwnerKind == "" {
		return newest
	}
	var selected labels.Selector
	for name, value := range pod.View.AllLabels() {
		if name == appsv1.DefaultDeploymentUniqueLabelKey || name == appsv1.ControllerRevisionHashLabelKey {
			selected = labels.SelectorFromSet(labels.Set{name: value})
		}
	}
	if selected == nil {
		return newest
	}
	running, err := c.releasesOfPods(ctx, pod.Namespace, selected)
	if err != nil {
		return newest
	}
	var pins decision.Pins
	for _, plugin := range newest.Unpinned {
		if pin, runs := running[plugin]; runs {
			pins.Kept = append(pins.Kept, pin)
		}
	}
	propagation := annotations.Propagation{}
	propagation.SetPins(pod.View.Annotations, pins.Value(newest.Request.Pins))
	pinned := pod
	pinned.View.Annotations = propagation.Apply(pod.View.Annotations)
	again, err := c.admit(ctx, pinned, facts)
	if err != nil {
		return newest
	}
	return again
}

// runningReleases returns the releases that the newest pod of a workload has, by plugin.
func (c *Cluster) runningReleases(
	ctx context.Context, namespace string, selectorJSON []byte,
) (map[string]annotations.PluginRef, error) {
	var selector metav1.LabelSelector
	if err := json.Unmarshal(selectorJSON, &selector); err != nil {
		return nil, fmt.Errorf("read the selector: %w", err)
	}
	selected, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil {
		return nil, fmt.Errorf("read the selector: %w", err)
	}
	return c.releasesOfPods(ctx, namespace, selected)
}

// releasesOfPods returns the releases that the newest of some pods has, by plugin. It reads the metadata of the pods
// from the API server.
func (c *Cluster) releasesOfPods(
	ctx context.Context, namespace string, selected labels.Selector,
) (map[string]annotations.PluginRef, error) {
	record, err := clusterstate.NewestRecord(ctx, c.Live, namespace, selected)
	if err != nil {
		return nil, err
	}
	releases := map[string]annotations.PluginRef{}
	for _, release := range record.Releases {
		pin := annotations.PluginRef{Name: release.Plugin, Version: release.Version, IsPin: true}
		if parsed, malformed := annotations.ParsePins(pin.String()); len(malformed) == 0 && len(parsed) == 1 {
			releases[pin.Name] = parsed[0]
		}
	}
	return releases, nil
}

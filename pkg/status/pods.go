package status

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/workloads"
)

// Pod is what a report needs of a pod.
type Pod struct {
	Namespace, Name string
	// OwnerKind and OwnerName are those of its workload. A pod without an owner is its own workload.
	OwnerKind, OwnerName string
	// Plugins is the annotation with its request. Migration is the PluginMigration that it waited or waits for.
	Plugins, Migration string
	// Record is what was injected. IsInjected reports whether there is a record.
	Record     mutate.InjectionRecord
	IsInjected bool
	// Gates are its scheduling gates.
	Gates []string
}

// NewPod reads the metadata of a pod.
func NewPod(object *metav1.PartialObjectMetadata) Pod {
	pod := Pod{
		Namespace: object.Namespace, Name: object.Name, OwnerKind: "Pod", OwnerName: object.Name,
		Plugins: object.Annotations[annotations.Plugins], Migration: object.Annotations[annotations.Migration],
	}
	if owner := metav1.GetControllerOf(object); owner != nil {
		pod.OwnerKind, pod.OwnerName = owner.Kind, owner.Name
		hash := object.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
		if name, isDeployment := strings.CutSuffix(owner.Name, "-"+hash); isDeployment && owner.Kind == "ReplicaSet" {
			pod.OwnerKind, pod.OwnerName = "Deployment", name
		}
	}
	if object.Labels[annotations.Injected] == "true" {
		record, err := mutate.ParseInjectionRecord(object.Annotations)
		pod.Record, pod.IsInjected = record, err == nil && len(record.Releases) > 0
	}
	return pod
}

// addWorkload adds a workload with what its pod template requests.
func (s *summarizer) addWorkload(object client.Object) {
	template := workloads.Template(object)
	request, malformed := annotations.Parse(template.Annotations)
	key := workloadKey{object.GetNamespace(), workloads.KindOf(object), object.GetName()}
	if len(malformed) > 0 {
		w := s.workload(key)
		w.Requests = []string{template.Annotations[annotations.Plugins]}
		w.problem(malformed.Error())
		return
	}
	if len(request.Plugins) == 0 {
		return
	}
	w := s.workload(key)
	for _, plugin := range request.Plugins {
		w.Requests = append(w.Requests, plugin.String())
	}
	for _, pin := range request.Pins {
		w.Pins = append(w.Pins, pin.String())
	}
	if failure := replicaFailure(object); failure != "" {
		w.problem("pods cannot be created: " + failure)
	}
}

// replicaFailure returns why the pods of a Deployment cannot be created, for example because of a denial.
func replicaFailure(object client.Object) string {
	deployment, isDeployment := object.(*appsv1.Deployment)
	if !isDeployment {
		return ""
	}
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
			return strings.Join(strings.Fields(condition.Message), " ")
		}
	}
	return ""
}

// problem adds a message about something that a person must fix.
func (w *Workload) problem(message string) {
	w.State = Problem
	w.Messages = append(w.Messages, message)
}

// addPod counts a pod of a workload.
func (s *summarizer) addPod(pod *Pod) {
	key := workloadKey{pod.Namespace, pod.OwnerKind, pod.OwnerName}
	if s.byKey[key] == nil && !pod.IsInjected && pod.Plugins == "" {
		return // it has nothing to do with kongdao
	}
	w := s.workload(key)
	w.Pods.Total++
	for _, release := range pod.Record.Releases {
		w.countRelease(release)
	}
	gate := ""
	for _, name := range pod.Gates {
		if name == annotations.MigrationsGate || name == annotations.LibraryGate {
			gate = max(gate, name)
		}
	}
	switch {
	case !pod.IsInjected && pod.Plugins != "":
		w.Pods.Uninjected++
		w.addNote(pod, note{"requests plugins, but was created without a call of the webhook: replace it",
			"request plugins, but were created without a call of the webhook: replace them"})
	case !pod.IsInjected:
		w.Pods.Older++
		w.addNote(pod, note{"has no plugins, because it is older than the request",
			"have no plugins, because they are older than the request"})
	case gate == annotations.MigrationsGate:
		w.Pods.Waiting++
		what := fmt.Sprintf("for PluginMigration %q", pod.Migration)
		w.addNote(pod, note{"waits " + what, "wait " + what})
	case gate != "":
		w.Pods.Waiting++
		w.addNote(pod, note{"waits for copies of its plugins", "wait for copies of their plugins"})
	case has(pod.Record, w.wanted()):
		w.Pods.Current++
	default:
		w.Pods.Older++
		w.addNote(pod, note{"has " + describe(pod.Record), "have " + describe(pod.Record)})
	}
}

// note is what a message says about one pod, or about several pods.
type note struct{ singular, plural string }

// notedPods are the pods with the same note.
type notedPods struct {
	note  note
	first string
	count int
}

func (w *Workload) addNote(pod *Pod, about note) {
	for i := range w.notes {
		if w.notes[i].note == about {
			w.notes[i].first = min(w.notes[i].first, pod.Name)
			w.notes[i].count++
			return
		}
	}
	w.notes = append(w.notes, notedPods{about, pod.Name, 1})
}

func (n *notedPods) String() string {
	if n.count == 1 {
		return fmt.Sprintf("pod %q %s", n.first, n.note.singular)
	}
	return fmt.Sprintf("%d pods %s, for example %q", n.count, n.note.plural, n.first)
}

// countRelease counts a release in a pod.
func (w *Workload) countRelease(record mutate.ReleaseRecord) {
	at := slices.IndexFunc(w.Releases, func(r Release) bool {
		return r.Plugin == record.Plugin && r.Version == record.Version && r.Digest == record.Digest
	})
	if at < 0 {
		w.Releases = append(w.Releases, Release{Plugin: record.Plugin, Version: record.Version, Digest: record.Digest})
		at = len(w.Releases) - 1
	}
	w.Releases[at].Pods++
}

// wanted returns the plugins that the pod template requests, with the pins as versions.
func (w *Workload) wanted() []annotations.PluginRef {
	pins, _ := annotations.ParsePins(strings.Join(w.Pins, ", "))
	byName := annotations.ByName(pins)
	var wanted []annotations.PluginRef
	for _, text := range w.Requests {
		ref, err := annotations.ParsePluginRef(text)
		if err != nil {
			continue
		}
		if pin, isPinned := byName[ref.Name]; isPinned && ref.Version == "" {
			ref = pin
		}
		wanted = append(wanted, ref)
	}
	return wanted
}

// has reports whether a pod has all wanted plugins in the wanted versions.
func has(record mutate.InjectionRecord, wanted []annotations.PluginRef) bool {
	return !slices.ContainsFunc(wanted, func(ref annotations.PluginRef) bool {
		return !slices.ContainsFunc(record.Releases, func(release mutate.ReleaseRecord) bool {
			return release.Plugin == ref.Name && (ref.Version == "" || release.Version == ref.Version)
		})
	})
}

// describe lists the releases of a record: "dao-test@1.0.0, other".
func describe(record mutate.InjectionRecord) string {
	var names []string
	for _, release := range record.Releases {
		names = append(names, annotations.PluginRef{Name: release.Plugin, Version: release.Version}.String())
	}
	return strings.Join(names, ", ")
}

// Package status summarizes what kongdao does for the workloads of a cluster. It finds the releases that their pods
// run, the pods that lack what they request, and the state of the migrations.
//
//	workloads, pods, PluginMigrations, PluginPolicies, Services --Summarize--> Report --Table--> text
//
// The package is pure. kubectl kongdao reads the objects and prints the report.
package status

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// Cluster is what a report is made from. Everything is from the same namespace, or from all namespaces.
type Cluster struct {
	// Workloads are Deployments, StatefulSets and DaemonSets.
	Workloads  []client.Object
	Pods       []Pod
	Migrations []v1alpha1.PluginMigration
	// Policies are empty if they cannot be read.
	Policies []v1alpha1.PluginPolicy
	// Services connect data planes with control planes.
	Services []corev1.Service
}

// Report lists the workloads that have to do with plugins, sorted by namespace, kind and name.
type Report struct {
	Workloads []Workload `json:"workloads"`
}

// Workload is a workload that requests plugins, or whose pods have plugins.
type Workload struct {
	Namespace string `json:"namespace"`
	// Kind is "Deployment", or the kind of another owner of pods, or "Pod" for a pod without an owner.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Requests are the plugins that the pod template requests: "dao-test", "dao-test@1.1.0".
	Requests []string `json:"requests"`
	// Pins are the releases that the pod template names for requests without a version.
	Pins []string `json:"pins,omitempty"`
	// Releases are the releases that the pods have.
	Releases []Release `json:"releases"`
	Pods     PodCounts `json:"pods"`
	// Migrations are the PluginMigrations that the pods wait for, or whose release they have.
	Migrations []Migration `json:"migrations,omitempty"`
	State      State       `json:"state"`
	// Messages say what is missing and why, the most important first.
	Messages []string `json:"messages,omitempty"`

	// notes become messages.
	notes []notedPods
}

// Label names the workload as kubectl does: "deployment.apps/kong".
func (w *Workload) Label() string {
	label := strings.ToLower(w.Kind)
	switch w.Kind {
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet":
		label += ".apps"
	}
	return label + "/" + w.Name
}

// Release is a release in pods.
type Release struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest"`
	// Pods is the number of pods.
	Pods int `json:"pods"`
}

// PodCounts counts the pods of a workload that have not ended.
type PodCounts struct {
	Total int `json:"total"`
	// Current have what the pod template requests.
	Current int `json:"current"`
	// Older were created for an older pod template.
	Older int `json:"older,omitempty"`
	// Waiting have a scheduling gate of kongdao.
	Waiting int `json:"waiting,omitempty"`
	// Uninjected request plugins, but were created without a call of the webhook.
	Uninjected int `json:"uninjected,omitempty"`
}

// Migration is the state of a PluginMigration.
type Migration struct {
	Name     string         `json:"name"`
	Phase    v1alpha1.Phase `json:"phase"`
	Database string         `json:"database"`
	Message  string         `json:"message,omitempty"`
}

// State summarizes a workload.
type State string

// The states of a workload.
const (
	// Ready: all pods have what the pod template requests.
	Ready State = "Ready"
	// Updating: some pods are older.
	Updating State = "Updating"
	// Waiting: pods wait for a migration or a copy.
	Waiting State = "Waiting"
	// Problem: a person must do something. The messages say what.
	Problem State = "Problem"
)

// Summarize makes a report.
func Summarize(cluster Cluster) Report {
	s := summarizer{byKey: map[workloadKey]*Workload{}}
	for _, object := range cluster.Workloads {
		s.addWorkload(object)
	}
	for i := range cluster.Pods {
		s.addPod(&cluster.Pods[i])
	}
	s.addMigrations(cluster.Migrations)
	s.addPolicies(cluster.Policies)
	s.addHybrid(cluster)
	report := Report{Workloads: []Workload{}}
	for _, workload := range s.byKey {
		workload.finish()
		report.Workloads = append(report.Workloads, *workload)
	}
	slices.SortFunc(report.Workloads, func(a, b Workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return report
}

// workloadKey identifies a workload.
type workloadKey struct{ namespace, kind, name string }

type summarizer struct {
	byKey map[workloadKey]*Workload
}

// workload returns a workload, which it creates if necessary.
func (s *summarizer) workload(key workloadKey) *Workload {
	if s.byKey[key] == nil {
		s.byKey[key] = &Workload{
			Namespace: key.namespace, Kind: key.kind, Name: key.name, Requests: []string{}, Releases: []Release{},
		}
	}
	return s.byKey[key]
}

// sorted returns the workloads in the order of their names.
func (s *summarizer) sorted() []*Workload {
	return slices.SortedFunc(maps.Values(s.byKey), func(a, b *Workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
}

// finish sets the state, and sorts the lists.
func (w *Workload) finish() {
	slices.SortFunc(w.Releases, func(a, b Release) int {
		return cmp.Or(cmp.Compare(a.Plugin, b.Plugin), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Digest, b.Digest))
	})
	slices.SortFunc(w.notes, func(a, b notedPods) int { return cmp.Compare(a.note.plural, b.note.plural) })
	for i := range w.notes {
		w.Messages = append(w.Messages, w.notes[i].String())
	}
	switch {
	case w.State == Problem || w.Pods.Uninjected > 0:
		w.State = Problem
	case w.Pods.Waiting > 0:
		w.State = Waiting
	case w.Pods.Older > 0:
		w.State = Updating
	default:
		w.State = Ready
	}
}

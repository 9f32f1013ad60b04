package status

import (
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/workloads"
)

// The variables of Kong's hybrid mode.
const (
	roleVariable         = "KONG_ROLE"
	controlPlaneVariable = "KONG_CLUSTER_CONTROL_PLANE"
)

// addHybrid finds data planes and control planes of hybrid mode that do not have the same plugins. A control plane
// sends the configuration of its plugins to all data planes, and each of them needs their code.
func (s *summarizer) addHybrid(cluster Cluster) {
	for _, dataPlane := range cluster.Workloads {
		address := controlPlaneOf(dataPlane)
		if address == "" {
			continue
		}
		controlPlane := findControlPlane(cluster, dataPlane.GetNamespace(), address)
		if controlPlane == nil {
			continue
		}
		s.comparePlanes(dataPlane, controlPlane)
	}
}

// comparePlanes adds a problem to the workload that lacks a plugin of the other one.
func (s *summarizer) comparePlanes(dataPlane, controlPlane client.Object) {
	has := func(object client.Object) []string {
		request, _ := annotations.Parse(workloads.Template(object).Annotations)
		var names []string
		for _, plugin := range request.Plugins {
			names = append(names, plugin.Name)
		}
		if w := s.byKey[keyOf(object)]; w != nil {
			for _, release := range w.Releases {
				names = append(names, release.Plugin)
			}
		}
		return names
	}
	report := func(lacking, having client.Object, role string) {
		own := has(lacking)
		for _, plugin := range slices.Compact(slices.Sorted(slices.Values(has(having)))) {
			if !slices.Contains(own, plugin) {
				s.workload(keyOf(having)).problem(fmt.Sprintf("plugin %q is missing in its %s, %s: annotate it too",
					plugin, role, workloads.Describe(lacking)))
			}
		}
	}
	report(controlPlane, dataPlane, "control plane")
	report(dataPlane, controlPlane, "data plane")
}

func keyOf(object client.Object) workloadKey {
	return workloadKey{object.GetNamespace(), workloads.KindOf(object), object.GetName()}
}

// IsDataPlane reports whether a workload runs data planes of hybrid mode that name their control plane.
func IsDataPlane(object client.Object) bool { return controlPlaneOf(object) != "" }

// controlPlaneOf returns the address of a data plane's control plane: "kong-cluster.kong:8005". It is "" for other
// workloads.
func controlPlaneOf(object client.Object) string {
	for _, container := range workloads.Template(object).Spec.Containers {
		if valueOf(container.Env, roleVariable) == "data_plane" {
			return valueOf(container.Env, controlPlaneVariable)
		}
	}
	return ""
}

func valueOf(variables []corev1.EnvVar, name string) string {
	at := slices.IndexFunc(variables, func(variable corev1.EnvVar) bool { return variable.Name == name })
	if at < 0 {
		return ""
	}
	return strings.TrimSpace(variables[at].Value)
}

// findControlPlane returns the workload that a Service selects, or nil. The address has the name of the Service, and
// possibly its namespace: "kong-cluster", "kong-cluster.kong.svc:8005".
func findControlPlane(cluster Cluster, namespace, address string) client.Object {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	parts := strings.Split(host, ".")
	if len(parts) > 1 {
		namespace = parts[1]
	}
	for i := range cluster.Services {
		service := &cluster.Services[i]
		if service.Namespace != namespace || service.Name != parts[0] || len(service.Spec.Selector) == 0 {
			continue
		}
		selector := labels.SelectorFromSet(service.Spec.Selector)
		for _, object := range cluster.Workloads {
			if object.GetNamespace() == namespace && selector.Matches(labels.Set(workloads.Template(object).Labels)) {
				return object
			}
		}
	}
	return nil
}

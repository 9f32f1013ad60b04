package migrate

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/annotations"
)

// includedContainers returns the containers of a pod that its Job runs next to Kong, as init containers in the order of
// the pod. A container that runs as long as the pod becomes a native sidecar, so that the Job can end.
func includedContainers(pod *corev1.Pod, names []string) []corev1.Container {
	var included []corev1.Container
	for i := range pod.Spec.InitContainers {
		from := &pod.Spec.InitContainers[i]
		if slices.Contains(names, from.Name) {
			included = append(included, includedContainer(from, from.RestartPolicy))
		}
	}
	for i := range pod.Spec.Containers {
		from := &pod.Spec.Containers[i]
		if slices.Contains(names, from.Name) {
			included = append(included, includedContainer(from, new(corev1.ContainerRestartPolicyAlways)))
		}
	}
	return included
}

// includedContainer copies named fields only, for the same reason as newContainer. A Job does not need the probes that
// restart a container or send it requests, but Kong waits for the startup probe of a sidecar.
func includedContainer(from *corev1.Container, policy *corev1.ContainerRestartPolicy) corev1.Container {
	container := corev1.Container{
		Name:            from.Name,
		Image:           from.Image,
		ImagePullPolicy: from.ImagePullPolicy,
		Command:         from.Command,
		Args:            from.Args,
		WorkingDir:      from.WorkingDir,
		EnvFrom:         from.EnvFrom,
		Env:             from.Env,
		Resources:       sharedResources(from.Resources),
		SecurityContext: from.SecurityContext,
		VolumeMounts:    slices.DeleteFunc(slices.Clone(from.VolumeMounts), isTokenMount),
		VolumeDevices:   from.VolumeDevices,
		RestartPolicy:   policy,
	}
	if policy == nil {
		return container
	}
	container.StartupProbe = from.StartupProbe
	for _, port := range from.Ports { // a probe can name a port
		port.HostPort, port.HostIP = 0, ""
		container.Ports = append(container.Ports, port)
	}
	return container
}

// sharedResources returns resources without claims, which belong to the pod that made them.
func sharedResources(resources corev1.ResourceRequirements) corev1.ResourceRequirements {
	resources.Claims = nil
	return resources
}

// leftOut returns the annotation that says which claims sharedResources left out, or nil.
func leftOut(pod *corev1.Pod, names []string) map[string]string {
	var claims []string
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			for _, claim := range containers[i].Resources.Claims {
				if slices.Contains(names, containers[i].Name) {
					claims = append(claims, strconv.Quote(claim.Name)+" of container "+strconv.Quote(containers[i].Name))
				}
			}
		}
	}
	if len(claims) == 0 {
		return nil
	}
	return map[string]string{annotations.LeftOut: "resource claims " + strings.Join(claims, ", ")}
}

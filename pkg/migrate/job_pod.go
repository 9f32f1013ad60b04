package migrate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// newPodSpec returns the pod of a Job. It copies the fields of a Kong pod that say who the pod is, where it can run,
// and how it finds the database. It copies named fields only, for the same reason as newContainer.
func newPodSpec(
	pod *corev1.Pod, container corev1.Container, included []corev1.Container, volumes []corev1.Volume, settings Settings,
) corev1.PodSpec {
	from := &pod.Spec
	return corev1.PodSpec{
		InitContainers: included,
		Containers:     []corev1.Container{container},
		Volumes:        volumes,
		RestartPolicy:  corev1.RestartPolicyNever,
		// A migration that runs must be able to end when the pod is deleted: after a kill it runs again (facts K29 and
		// K34).
		TerminationGracePeriodSeconds: new(settings.TimeoutSeconds),

		ServiceAccountName:           from.ServiceAccountName,
		AutomountServiceAccountToken: from.AutomountServiceAccountToken,
		SecurityContext:              from.SecurityContext,
		ImagePullSecrets:             from.ImagePullSecrets,
		HostUsers:                    from.HostUsers,

		NodeSelector:      from.NodeSelector,
		Affinity:          nodeAffinity(from.Affinity),
		Tolerations:       userTolerations(from.Tolerations),
		SchedulerName:     from.SchedulerName,
		RuntimeClassName:  from.RuntimeClassName,
		PriorityClassName: from.PriorityClassName,

		HostNetwork:        from.HostNetwork,
		DNSPolicy:          from.DNSPolicy,
		DNSConfig:          from.DNSConfig,
		HostAliases:        from.HostAliases,
		EnableServiceLinks: from.EnableServiceLinks,
	}
}

// nodeAffinity returns the part of an affinity about nodes. The affinity to other pods is for gateways only.
func nodeAffinity(affinity *corev1.Affinity) *corev1.Affinity {
	if affinity == nil || affinity.NodeAffinity == nil {
		return nil
	}
	return &corev1.Affinity{NodeAffinity: affinity.NodeAffinity}
}

// userTolerations returns tolerations without the two that the API server adds to every pod. It adds them to the pod of
// the Job too.
func userTolerations(tolerations []corev1.Toleration) []corev1.Toleration {
	const defaultSeconds = 300
	return slices.DeleteFunc(slices.Clone(tolerations), func(toleration corev1.Toleration) bool {
		return toleration.Effect == corev1.TaintEffectNoExecute &&
			toleration.TolerationSeconds != nil && *toleration.TolerationSeconds == defaultSeconds &&
			(toleration.Key == corev1.TaintNodeNotReady || toleration.Key == corev1.TaintNodeUnreachable)
	})
}

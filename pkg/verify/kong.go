package verify

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// KongOf returns how a pod runs Kong. It returns false if no container of the pod runs Kong. Settings from Secrets and
// ConfigMaps are left out, because Kong needs them only for its database and its listeners.
func KongOf(pod *corev1.PodSpec, name string) (Kong, bool) {
	for _, containers := range [][]corev1.Container{pod.Containers, pod.InitContainers} {
		at := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == name })
		if at < 0 {
			continue
		}
		from := &containers[at]
		kong := Kong{
			Image: from.Image, ImagePullPolicy: from.ImagePullPolicy, ImagePullSecrets: pod.ImagePullSecrets,
			NodeSelector: pod.NodeSelector, Tolerations: pod.Tolerations,
		}
		for _, variable := range from.Env {
			if variable.ValueFrom == nil && isKept(variable.Name) {
				kong.Env = append(kong.Env, variable)
			}
		}
		if from.SecurityContext != nil {
			kong.RunAsUser = from.SecurityContext.RunAsUser
		}
		if kong.RunAsUser == nil && pod.SecurityContext != nil {
			kong.RunAsUser = pod.SecurityContext.RunAsUser
		}
		return kong, true
	}
	return Kong{}, false
}

// isKept reports whether a variable can matter for loading a plugin.
func isKept(name string) bool {
	for _, prefix := range []string{"KONG_PG_", "KONG_CASSANDRA_", "KONG_CLUSTER_", "KONG_SSL_", "KONG_ADMIN_SSL_"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return strings.HasPrefix(name, "KONG_") && !strings.HasSuffix(name, "_FILE")
}

// Result is Kong's verdict on a plugin.
type Result struct {
	// Loads is true if Kong can load the plugin.
	Loads bool
	// IsRejected is true if Kong cannot load the plugin. If both are false, Kong did not start for another reason.
	IsRejected bool
	// Words are Kong's output.
	Words string
}

// ParseResult reads the result that the script writes: the outcome in the first line, and Kong's output.
func ParseResult(message string) Result {
	outcome, words, _ := strings.Cut(message, "\n")
	result := Result{Loads: outcome == "done", IsRejected: outcome == "unloadable", Words: strings.TrimSpace(words)}
	if !result.Loads && !result.IsRejected && outcome != "failed" {
		result.Words = strings.TrimSpace(message)
	}
	return result
}

// ParseOutput reads the result from the output of the script: the line "kongdao: OUTCOME", and Kong's output after it.
func ParseOutput(output string) Result {
	for _, outcome := range []string{"done", "unloadable", "failed"} {
		marker := "kongdao: " + outcome + "\n"
		if at := strings.LastIndex(output, marker); at >= 0 {
			return ParseResult(outcome + "\n" + output[at+len(marker):])
		}
	}
	return Result{Words: strings.TrimSpace(output)}
}

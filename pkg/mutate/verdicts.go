package mutate

import (
	"fmt"
	"slices"

	"kongdao.io/kongdao/pkg/annotations"
)

// Verdict says whether a container runs Kong, and why.
type Verdict struct {
	Container string
	IsInit    bool
	RunsKong  bool
	// Reason is the rest of a sentence: "its image is kong".
	Reason string
}

// Verdicts explains which containers of a pod run Kong, as the injection sees them. Init containers come first.
func Verdicts(pod Pod, request annotations.Request) []Verdict {
	targets, _ := findTargets(pod, request)
	hasImage := false
	for candidate := range allContainers(pod) {
		hasImage = hasImage || candidate.runsWithPod() && candidate.container.hasKongImage()
	}
	var verdicts []Verdict
	for candidate := range allContainers(pod) {
		verdict := Verdict{Container: candidate.container.Name, IsInit: candidate.isInit()}
		verdict.RunsKong = slices.ContainsFunc(targets, func(t target) bool { return t.path == candidate.path })
		if verdict.RunsKong {
			verdict.Reason = candidate.whyKong(request)
		} else {
			verdict.Reason = candidate.whyNotKong(pod, request, hasImage)
		}
		verdicts = append(verdicts, verdict)
	}
	return verdicts
}

func (t target) whyKong(request annotations.Request) string {
	switch {
	case slices.Contains(request.Containers, t.container.Name):
		return fmt.Sprintf("annotation %s names it", annotations.Containers)
	case t.container.hasKongImage():
		return "its image is " + imageName(t.container.Image)
	}
	return fmt.Sprintf("it has %d of Kong's own settings, such as KONG_DATABASE", t.container.Env.KongSettings)
}

func (t target) whyNotKong(pod Pod, request annotations.Request, hasImage bool) string {
	settings := t.container.Env.KongSettings
	switch {
	case isController(t.container):
		return "it is an ingress controller or an operator of Kong"
	case request.Containers != nil && !request.AllKongContainers:
		return fmt.Sprintf("annotation %s names other containers", annotations.Containers)
	case hasImage && t.runsWithPod() && settings > 0:
		return "another container has Kong's image, so this one is a client of Kong"
	case settings > 0:
		return fmt.Sprintf("it has %d of Kong's own settings, and %d are necessary without Kong's image",
			settings, max(minSettings(pod), certainSettings))
	}
	return "it has neither Kong's image nor Kong's own settings"
}

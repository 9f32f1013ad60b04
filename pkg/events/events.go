// Package events records Kubernetes Events on the objects that users look at.
package events

import (
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// Recorder records Events.
type Recorder struct {
	recorder events.EventRecorder
}

// NewRecorder returns a Recorder that shortens messages which are too long for an Event.
func NewRecorder(recorder events.EventRecorder) *Recorder { return &Recorder{recorder} }

// PluginsMissing is the reason of Events about pods that run without plugins that they should have.
const PluginsMissing = "PluginsMissing"

// maxMessageBytes is the API server's limit for the message of an Event.
const maxMessageBytes = 1024

// Warn records an Event of type Warning about an object. The API server keeps only the first message of the Events that
// have the same object, reason and action within some minutes.
func (r *Recorder) Warn(about runtime.Object, reason, action, message string) {
	r.WarnRelated(about, nil, reason, action, message)
}

// WarnRelated is Warn with a second object. The messages of Events with different second objects are all kept.
func (r *Recorder) WarnRelated(about, related runtime.Object, reason, action, message string) {
	r.recorder.Eventf(about, related, corev1.EventTypeWarning, reason, action, "%s", truncate(message))
}

// Inform records an Event of type Normal about an object, as Warn does.
func (r *Recorder) Inform(about runtime.Object, reason, action, message string) {
	r.InformRelated(about, nil, reason, action, message)
}

// InformRelated is Inform with a second object, as WarnRelated is for Warn.
func (r *Recorder) InformRelated(about, related runtime.Object, reason, action, message string) {
	r.recorder.Eventf(about, related, corev1.EventTypeNormal, reason, action, "%s", truncate(message))
}

// truncate shortens a message to maxMessageBytes. It does not cut a character in two: a part of a character would be
// sent as three bytes, and the API server would reject the Event.
func truncate(message string) string {
	const ellipsis = "..."
	if len(message) <= maxMessageBytes {
		return message
	}
	end := maxMessageBytes - len(ellipsis)
	for !utf8.RuneStart(message[end]) {
		end--
	}
	return message[:end] + ellipsis
}

// WarnAboutPod records an Event of type Warning about the controller of a pod, or about the pod if it has none. The
// messages about the pods of a controller are all kept.
func (r *Recorder) WarnAboutPod(controller *metav1.OwnerReference, pod metav1.Object, reason, action, message string) {
	reference := &corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: pod.GetNamespace(), Name: pod.GetName(), UID: pod.GetUID(),
	}
	if controller == nil {
		r.Warn(reference, reason, action, message)
		return
	}
	r.WarnRelated(ReferenceTo(controller, pod.GetNamespace()), reference, reason, action, message)
}

// ReferenceTo returns a reference to an owner of a pod, for an Event about this owner.
func ReferenceTo(owner *metav1.OwnerReference, namespace string) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: owner.APIVersion, Kind: owner.Kind,
		Namespace: namespace, Name: owner.Name, UID: owner.UID,
	}
}

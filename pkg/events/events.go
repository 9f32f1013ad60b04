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

// Warn records an Event of type Warning about an object.
func (r *Recorder) Warn(about runtime.Object, reason, action, message string) {
	r.recorder.Eventf(about, nil, corev1.EventTypeWarning, reason, action, "%s", truncate(message))
}

// Inform records an Event of type Normal about an object.
func (r *Recorder) Inform(about runtime.Object, reason, action, message string) {
	r.recorder.Eventf(about, nil, corev1.EventTypeNormal, reason, action, "%s", truncate(message))
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

// ReferenceToPodOr returns a reference to the controller of a pod, or to the pod if it has none.
func ReferenceToPodOr(controller *metav1.OwnerReference, pod metav1.Object) *corev1.ObjectReference {
	if controller != nil {
		return ReferenceTo(controller, pod.GetNamespace())
	}
	return &corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: pod.GetNamespace(), Name: pod.GetName(), UID: pod.GetUID(),
	}
}

// ReferenceTo returns a reference to an owner of a pod, for an Event about this owner.
func ReferenceTo(owner *metav1.OwnerReference, namespace string) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: owner.APIVersion, Kind: owner.Kind,
		Namespace: namespace, Name: owner.Name, UID: owner.UID,
	}
}

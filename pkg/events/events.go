// Package events owns how people hear of what no answer tells them: by Events on
// the objects that they look at.
package events

import (
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// Events makes Events.
type Events struct {
	Recorder events.EventRecorder
}

// longest is how much of a message an Event can hold, in bytes.
const longest = 1024

// Warn makes a warning about an object.
func (e *Events) Warn(about runtime.Object, reason, action, message string) {
	const ellipsis = "..."
	if len(message) > longest {
		end := longest - len(ellipsis)
		for !utf8.RuneStart(message[end]) { // half a character would be sent as three bytes, and the Event denied
			end--
		}
		message = message[:end] + ellipsis
	}
	e.Recorder.Eventf(about, nil, corev1.EventTypeWarning, reason, action, "%s", message)
}

// OwnerOf refers to a pod's controller.
func OwnerOf(controller *metav1.OwnerReference, namespace string) *corev1.ObjectReference {
	return &corev1.ObjectReference{
		APIVersion: controller.APIVersion, Kind: controller.Kind,
		Namespace: namespace, Name: controller.Name, UID: controller.UID,
	}
}

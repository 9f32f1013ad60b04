package admission

import (
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
)

// Events tells the owners of refused pods why there are none: nobody sees the
// answer that a controller got.
type Events struct {
	Recorder events.EventRecorder
}

// longestNote is how much of a message an Event can hold, in bytes.
const longestNote = 1024

// refused makes an Event on the controller that wanted to create a pod. A pod
// that a person creates has none: the person reads the answer.
func (e *Events) refused(controller *metav1.OwnerReference, namespace, message string) {
	if controller == nil {
		return
	}
	owner := &corev1.ObjectReference{
		APIVersion: controller.APIVersion, Kind: controller.Kind,
		Namespace: namespace, Name: controller.Name, UID: controller.UID,
	}
	const ellipsis = "..."
	if len(message) > longestNote {
		end := longestNote - len(ellipsis)
		for !utf8.RuneStart(message[end]) { // half a character would be sent as three bytes, and the Event refused
			end--
		}
		message = message[:end] + ellipsis
	}
	e.Recorder.Eventf(owner, nil, corev1.EventTypeWarning, "PluginsRefused", "CreatePod", "%s", message)
}

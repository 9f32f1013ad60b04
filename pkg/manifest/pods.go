package manifest

import (
	"kongdao.io/kongdao/pkg/mutate"
)

// PodObject is a pod, or the pod template of an object, in a document.
type PodObject struct {
	// Label names the object: `Deployment "kong/kong-kong"`.
	Label     string
	Namespace string
	// OwnerKind is "Job" for the pods of Jobs and CronJobs, and "" otherwise.
	OwnerKind string
	View      mutate.Pod
}

// Pods returns the pods and pod templates in the documents, with the annotations that the webhook copies to them. An
// object that names no namespace is in the given one. The error has the problems of all objects.
func Pods(documents []*Document, namespace string) ([]PodObject, error) {
	j := injector{settings: Settings{Namespace: namespace}}
	var pods []PodObject
	for _, document := range documents {
		for _, object := range document.objects {
			location, ok := object.podLocation()
			if !ok {
				continue
			}
			err := j.propagate(object, location)
			var view mutate.Pod
			if err == nil {
				view, err = object.decodePod(location.pointer)
			}
			if err != nil {
				j.deny(object, j.label(object), err.Error())
				continue
			}
			pods = append(pods, PodObject{j.label(object), j.namespaceOf(object), object.ownerKind(), view})
		}
	}
	if len(j.result.Denials) > 0 {
		return nil, j.result.Denials
	}
	return pods, nil
}

// ownerKind returns the kind of the owner that the pods of an object get, if decisions depend on it.
func (o *kubeObject) ownerKind() string {
	if o.Kind == "Job" || o.Kind == "CronJob" {
		return "Job"
	}
	return ""
}

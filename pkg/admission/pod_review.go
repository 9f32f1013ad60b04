package admission

import (
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/jsonview"
	"kongdao.io/kongdao/pkg/mutate"
)

// podReview is the view of an AdmissionReview of a pod.
type podReview struct {
	apiVersion, kind string
	uid              string
	operation        string
	// resource is the plural name, subResource "" for the pod itself.
	resource, subResource string
	namespace             string
	dryRun                bool
	// name is the pod's name, or its generateName.
	name string
	// controller is the owner that controls the pod, or nil.
	controller *metav1.OwnerReference
	hasObject  bool
	pod        mutate.Pod
}

// reviewVersion is the only version of reviews in the supported versions of Kubernetes.
const reviewVersion = "admission.k8s.io/v1"

// decodePodReview decodes a review. If it returns an error, the review has the fields that precede the error. The UID
// is usually one of them.
func decodePodReview(body []byte) (podReview, error) {
	d := jsonview.New(body)
	var review podReview
	for ok := d.Object(); ok && d.More(); {
		switch string(d.Name()) {
		case "apiVersion":
			review.apiVersion = d.String()
		case "kind":
			review.kind = d.String()
		case "request":
			review.decodeRequest(d)
		default:
			d.Skip()
		}
	}
	d.End()
	switch {
	case d.Err() != nil:
		return review, fmt.Errorf("malformed AdmissionReview: %w", d.Err())
	case review.kind != "AdmissionReview" || review.apiVersion != reviewVersion:
		return review, fmt.Errorf("expected an AdmissionReview of %s, found kind %q of %q",
			reviewVersion, review.kind, review.apiVersion)
	case review.uid == "":
		return review, fmt.Errorf("malformed AdmissionReview: request.uid is missing")
	case review.createsPod() && !review.hasObject:
		return review, fmt.Errorf("malformed AdmissionReview: request.object is missing")
	}
	return review, nil
}

// createsPod reports whether the review is about a new pod. Other reviews are allowed unseen, even if the webhook is
// registered for them: in other injectors, a webhook that handled updates made pods undeletable (fact W7).
func (r *podReview) createsPod() bool {
	return r.resource == "pods" && r.subResource == "" && r.operation == string(admissionv1.Create)
}

// ownerKind returns the kind of the pod's controller, or "" if it has none.
func (r *podReview) ownerKind() string {
	if r.controller == nil {
		return ""
	}
	return r.controller.Kind
}

// owner returns the controller of the pod, or the zero value if it has none.
func (r *podReview) owner() v1alpha1.WorkloadReference {
	if r.controller == nil {
		return v1alpha1.WorkloadReference{}
	}
	return v1alpha1.WorkloadReference{Namespace: r.namespace, Kind: r.controller.Kind, Name: r.controller.Name}
}

func (r *podReview) decodeRequest(d *jsonview.Decoder) {
	for ok := d.Object(); ok && d.More(); {
		switch string(d.Name()) {
		case "uid":
			r.uid = d.String()
		case "operation":
			r.operation = d.String()
		case "namespace":
			r.namespace = d.String()
		case "dryRun":
			r.dryRun = d.Bool()
		case "subResource":
			r.subResource = d.String()
		case "resource":
			for ok := d.Object(); ok && d.More(); {
				if string(d.Name()) == "resource" {
					r.resource = d.String()
				} else {
					d.Skip()
				}
			}
		case "object":
			// An API server sends the resource and the operation before the object. Skip an object that is not a new pod, so
			// that nothing in it can cause a denial.
			if r.resource != "" && r.operation != "" && !r.createsPod() {
				d.Skip()
				continue
			}
			r.decodeObject(d)
		default:
			d.Skip()
		}
	}
}

func (r *podReview) decodeObject(d *jsonview.Decoder) {
	for ok := d.Object(); ok && d.More(); {
		r.hasObject = true
		switch string(d.Name()) {
		case "metadata":
			r.decodeMetadata(d)
		case "spec":
			r.pod.DecodeSpec(d)
		default:
			d.Skip()
		}
	}
}

func (r *podReview) decodeMetadata(d *jsonview.Decoder) {
	var generateName string
	for ok := d.Object(); ok && d.More(); {
		switch name := string(d.Name()); name {
		case "name":
			r.name = d.String()
		case "generateName":
			generateName = d.String()
		case "ownerReferences":
			r.controller = decodeController(d)
		default:
			if !r.pod.DecodeMetadata(name, d) {
				d.Skip()
			}
		}
	}
	if r.name == "" {
		r.name = generateName
	}
}

// decodeController returns the owner that is the controller, or nil.
func decodeController(d *jsonview.Decoder) *metav1.OwnerReference {
	var controller *metav1.OwnerReference
	for ok := d.Array(); ok && d.More(); {
		var owner metav1.OwnerReference
		isController := false
		for ok := d.Object(); ok && d.More(); {
			switch string(d.Name()) {
			case "apiVersion":
				owner.APIVersion = d.String()
			case "kind":
				owner.Kind = d.String()
			case "name":
				owner.Name = d.String()
			case "uid":
				owner.UID = types.UID(d.String())
			case "controller":
				isController = d.Bool()
			default:
				d.Skip()
			}
		}
		if isController {
			controller = &owner
		}
	}
	return controller
}

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
	// name is the pod's, or what its name will begin with.
	name string
	// controller owns the pod; nil for a pod that nobody does.
	controller *metav1.OwnerReference
	hasObject  bool
	pod        mutate.Pod
}

// reviewVersion is the only version of reviews that there is in the Kubernetes that we support.
const reviewVersion = "admission.k8s.io/v1"

// decodePodReview reads a review. What could be read before an error, above all
// the UID, stands in the result.
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
		return review, fmt.Errorf("expected an AdmissionReview of %s, not %q of %q", reviewVersion, review.kind, review.apiVersion)
	case review.uid == "":
		return review, fmt.Errorf("malformed AdmissionReview: it has no request with a uid")
	case review.creates() && !review.hasObject:
		return review, fmt.Errorf("malformed AdmissionReview: its request to create has no object")
	}
	return review, nil
}

// creates reports whether the review is of a pod that is created. All else is
// left alone, however the webhook was registered (W7).
func (r *podReview) creates() bool {
	return r.resource == "pods" && r.subResource == "" && r.operation == string(admissionv1.Create)
}

// ownerKind is the kind of the pod's controller, "" where none is.
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
			// An API server sends what the request is before its object. An
			// object that is no pod, or a running one, is never looked into:
			// nothing in it could then be a reason to deny it.
			if r.resource != "" && r.operation != "" && !r.creates() {
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

// decodeController yields the owner that is the controller, nil where none is.
func decodeController(d *jsonview.Decoder) *metav1.OwnerReference {
	var found *metav1.OwnerReference
	for ok := d.Array(); ok && d.More(); {
		var owner metav1.OwnerReference
		controls := false
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
				controls = d.Bool()
			default:
				d.Skip()
			}
		}
		if controls {
			found = &owner
		}
	}
	return found
}

// Package reviews creates AdmissionReviews as an API server sends them, for tests and benchmarks without an API server.
package reviews

import (
	"encoding/json"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// UID is the UID of the request in all reviews.
const UID = "705ab4f5-6393-11e8-b7cc-42010a800002"

// OfPod returns the review for the creation of a pod by the ReplicaSet controller. The pod is in JSON. The review
// includes managedFields, which are half of a review that an API server sends (fact W9).
func OfPod(pod []byte, namespace string, edits ...func(*admissionv1.AdmissionRequest)) ([]byte, error) {
	object, err := addManagedFields(pod)
	if err != nil {
		return nil, err
	}
	pods := metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
	kind := metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}
	request := &admissionv1.AdmissionRequest{
		UID: types.UID(UID), Kind: kind, Resource: pods, RequestKind: &kind, RequestResource: &pods,
		Namespace: namespace, Operation: admissionv1.Create, DryRun: new(bool),
		UserInfo: authenticationv1.UserInfo{
			Username: "system:serviceaccount:kube-system:replicaset-controller",
			Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"},
		},
		Object:  runtime.RawExtension{Raw: object},
		Options: runtime.RawExtension{Raw: []byte(`{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}`)},
	}
	for _, edit := range edits {
		edit(request)
	}
	return json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request:  request,
	})
}

// addManagedFields adds an entry of managedFields to an object. The entry names all fields of the object.
func addManagedFields(text []byte) ([]byte, error) {
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, fmt.Errorf("decode the object: %w", err)
	}
	fields, err := json.Marshal(fieldsV1(object))
	if err != nil {
		return nil, fmt.Errorf("encode the managed fields: %w", err)
	}
	metadata, _ := object["metadata"].(map[string]any)
	if metadata == nil {
		metadata = map[string]any{}
		object["metadata"] = metadata
	}
	metadata["managedFields"] = []metav1.ManagedFieldsEntry{{
		Manager: "kube-controller-manager", Operation: metav1.ManagedFieldsOperationUpdate,
		APIVersion: "v1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string(fields)),
	}}
	return json.Marshal(object)
}

// fieldsV1 returns the fields of a value in the format of FieldsV1.
func fieldsV1(value any) map[string]any {
	set := map[string]any{}
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			set["f:"+name] = fieldsV1(member)
		}
	case []any:
		for _, item := range value {
			entry, _ := item.(map[string]any)
			if name, ok := entry["name"].(string); ok {
				set[fmt.Sprintf(`k:{"name":%q}`, name)] = fieldsV1(entry)
			}
		}
	}
	return set
}

// Package reviews makes AdmissionReviews as an API server sends them, for
// tests and benchmarks that do without one.
package reviews

import (
	"encoding/json"
	"fmt"
	"maps"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// UID is that of every review's request.
const UID = "705ab4f5-6393-11e8-b7cc-42010a800002"

// OfPod wraps a pod, as JSON, into the review of its creation by a
// ReplicaSet's controller in a namespace. Like an API server it sends
// managedFields along, about as large as the pod itself (fact W9).
func OfPod(pod []byte, namespace string, edits ...func(*admissionv1.AdmissionRequest)) ([]byte, error) {
	var object map[string]any
	if err := json.Unmarshal(pod, &object); err != nil {
		return nil, fmt.Errorf("read the pod: %w", err)
	}
	managed, err := json.Marshal(fields(object))
	if err != nil {
		return nil, fmt.Errorf("write the managed fields: %w", err)
	}
	metadata, _ := object["metadata"].(map[string]any)
	metadata = maps.Clone(metadata)
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["managedFields"] = []metav1.ManagedFieldsEntry{{
		Manager: "kube-controller-manager", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1",
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string(managed)),
	}}
	object["metadata"] = metadata
	text, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("write the pod: %w", err)
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
		Object:  runtime.RawExtension{Raw: text},
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

// fields is the set of fields of a value, in the form of FieldsV1.
func fields(value any) map[string]any {
	set := map[string]any{}
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			set["f:"+name] = fields(member)
		}
	case []any:
		for _, item := range value {
			entry, _ := item.(map[string]any)
			if name, ok := entry["name"].(string); ok {
				set[fmt.Sprintf(`k:{"name":%q}`, name)] = fields(entry)
			}
		}
	}
	return set
}

package librarycontroller

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/policy"
)

// fakeServer is an API server with ConfigMaps. It counts the requests by verb and type.
type fakeServer struct {
	client.Client
	mutex      sync.Mutex
	configMaps map[string]*corev1.ConfigMap
	requests   map[string]int
	// beforeCreate runs before a ConfigMap is created, as another replica would.
	beforeCreate func(*corev1.ConfigMap)
	patchError   error
}

func (f *fakeServer) count(verb string, object client.Object) {
	f.requests[fmt.Sprintf("%s %T", verb, object)]++
}

func (f *fakeServer) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.count("get", object)
	found, ok := f.configMaps[key.String()]
	if !ok {
		return apierrors.NewNotFound(corev1.Resource("configmaps"), key.Name)
	}
	found.DeepCopyInto(object.(*corev1.ConfigMap))
	return nil
}

func (f *fakeServer) Create(_ context.Context, object client.Object, _ ...client.CreateOption) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.count("create", object)
	if f.beforeCreate != nil {
		f.beforeCreate(object.(*corev1.ConfigMap))
	}
	key := client.ObjectKeyFromObject(object).String()
	if f.configMaps[key] != nil {
		return apierrors.NewAlreadyExists(corev1.Resource("configmaps"), object.GetName())
	}
	f.configMaps[key] = object.(*corev1.ConfigMap).DeepCopy()
	return nil
}

func (f *fakeServer) Delete(_ context.Context, object client.Object, _ ...client.DeleteOption) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.count("delete", object)
	delete(f.configMaps, client.ObjectKeyFromObject(object).String())
	return nil
}

func (f *fakeServer) Patch(_ context.Context, object client.Object, _ client.Patch, _ ...client.PatchOption) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.count("patch", object)
	if object.GetName() == "kong-0" {
		return f.patchError
	}
	return nil
}

// selecting is the policies of every namespace.
type selecting []*policy.Policy

func (s selecting) Of(context.Context, string) ([]*policy.Policy, error) { return s, nil }

// recordedEvents holds "kind/name: message" of each Event.
type recordedEvents []string

func (r *recordedEvents) Eventf(about, _ runtime.Object, _, _, _, format string, arguments ...any) {
	reference := about.(*corev1.ObjectReference)
	*r = append(*r, fmt.Sprintf("%s/%s: ", reference.Kind, reference.Name)+fmt.Sprintf(format, arguments...))
}

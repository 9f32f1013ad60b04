package workloads

import (
	"context"
	"fmt"
	"iter"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pageSize limits the objects in one read.
const pageSize = 100

// All iterates over the objects of some kinds in a namespace, or in all namespaces if it is "". It reads them page by
// page. An error is the last element.
func All(ctx context.Context, reader client.Reader, namespace string, kinds []Kind) iter.Seq2[client.Object, error] {
	return func(yield func(client.Object, error) bool) {
		for _, kind := range kinds {
			if !allOfKind(ctx, reader, namespace, kind, yield) {
				return
			}
		}
	}
}

// allOfKind reads the objects of a kind for All. It returns false if the iteration ends.
func allOfKind(
	ctx context.Context, reader client.Reader, namespace string, kind Kind, yield func(client.Object, error) bool,
) bool {
	page := kind.NewList()
	for {
		err := reader.List(ctx, page, client.InNamespace(namespace), client.Limit(pageSize),
			client.Continue(page.GetContinue()))
		if err != nil {
			yield(nil, fmt.Errorf("list each %s: %w", KindOf(kind.New()), err))
			return false
		}
		goesOn := true
		err = meta.EachListItem(page, func(item runtime.Object) error {
			object, ok := item.(client.Object)
			if ok && goesOn {
				goesOn = yield(object, nil)
			}
			return nil
		})
		if err != nil {
			yield(nil, fmt.Errorf("read a list of each %s: %w", KindOf(kind.New()), err))
			return false
		}
		if !goesOn {
			return false
		}
		if page.GetContinue() == "" {
			return true
		}
	}
}

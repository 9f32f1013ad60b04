package main

import (
	"context"
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
)

// sharedCaches is what the cache may hold for several parts of the process. It
// must not ask for more, for the process has no right to more.
func sharedCaches(options Options) map[client.Object]cache.ByObject {
	held := map[client.Object]cache.ByObject{}
	if options.leads() != "" {
		held[&corev1.Pod{}] = clusterstate.InjectedPodsCache(options.WatchNamespaces...)
	}
	if options.CertProvider != certFiles || options.Policies {
		held[&admissionregistrationv1.MutatingWebhookConfiguration{}] = cache.ByObject{Field: named(options.WebhookConfiguration)}
	}
	return held
}

// named selects the object of a name.
func named(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }

// injectedPods is what is kept of the pods that were injected, nil where nobody
// asks.
func injectedPods(ctx context.Context, manager ctrl.Manager, options Options) (*clusterstate.InjectedPods, error) {
	if options.leads() == "" {
		return nil, nil //nolint:nilnil // nobody asks
	}
	return clusterstate.NewInjectedPods(ctx, manager.GetCache())
}

// inWords says of an error that comes of the lack of our kinds what to do. While
// the API server forgets them, all that it says may be that their group is gone.
func inWords(err error) error {
	ours, lacks := v1alpha1.GroupVersion(), ""
	if unknown, ok := errors.AsType[*meta.NoKindMatchError](err); ok && unknown.GroupKind.Group == ours.Group {
		lacks = "kind " + unknown.GroupKind.Kind
	} else if unknown, ok := errors.AsType[*meta.NoResourceMatchError](err); ok && unknown.PartialResource.Group == ours.Group {
		lacks = "kinds"
	}
	if lacks == "" {
		return err
	}
	return fmt.Errorf("the cluster knows no %s of %s: install kongdao's CRDs, or start without --migrations and --policies", lacks, ours)
}

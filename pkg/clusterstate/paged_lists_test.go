package clusterstate

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/test/configmaps"
)

// pagedServer is an API server without streaming lists.
type pagedServer struct {
	configMaps []corev1.ConfigMap
	requests   []metav1.ListOptions
	// failures are the errors of the first requests with a continue token.
	failures []error
}

func (s *pagedServer) list(_ context.Context, options metav1.ListOptions) (runtime.Object, error) {
	s.requests = append(s.requests, options)
	start, _ := strconv.Atoi(options.Continue)
	if start > 0 && len(s.failures) > 0 {
		err := s.failures[0]
		s.failures = s.failures[1:]
		return nil, err
	}
	end := min(start+int(options.Limit), len(s.configMaps))
	page := &corev1.ConfigMapList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}, Items: s.configMaps[start:end]}
	if end < len(s.configMaps) {
		page.Continue = strconv.Itoa(end)
	}
	return page, nil
}

func (s *pagedServer) watch(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
	if options.SendInitialEvents != nil {
		return nil, apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("ListOptions").GroupKind(), "", nil)
	}
	return watch.NewFake(), nil
}

// TestFirstListIsPaged checks that an informer reads the first list in pages, and reduces each page. Otherwise
// an API server without streaming lists sends the whole list in one answer (fact P8).
func TestFirstListIsPaged(t *testing.T) {
	server := &pagedServer{failures: []error{apierrors.NewResourceExpired("compacted")}}
	const count = 2*configMapPageSize + 1
	for i := range count {
		name := fmt.Sprintf("plugin-%03d", i)
		server.configMaps = append(server.configMaps, *configmaps.Source("kong", name, name))
	}
	options, err := SourcesCache()
	if err != nil {
		t.Fatal(err)
	}
	newInformer := PagedInformers(map[client.Object]cache.ByObject{&corev1.ConfigMap{}: options})
	informer := newInformer(&toolscache.ListWatch{
		ListWithContextFunc: server.list, WatchFuncWithContext: server.watch,
	}, &corev1.ConfigMap{}, 0, toolscache.Indexers{})
	if err := informer.SetTransform(options.Transform); err != nil {
		t.Fatal(err)
	}
	sources, err := NewSources(t.Context(), fakeInformers{informer: informer})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() { informer.RunWithContext(ctx); close(stopped) }()
	if !toolscache.WaitForCacheSync(ctx.Done(), sources.Synced) {
		t.Fatal("not synced")
	}
	stop()
	<-stopped
	for i := range count {
		if name := fmt.Sprintf("plugin-%03d", i); len(sources.Releases("kong", name)) != 1 {
			t.Errorf("no release of %s", name)
		}
	}
	var pages []string
	for _, request := range server.requests {
		pages = append(pages, fmt.Sprintf("limit=%d continue=%s resourceVersion=%s",
			request.Limit, request.Continue, request.ResourceVersion))
	}
	want := []string{
		"limit=20 continue= resourceVersion=", "limit=20 continue=20 resourceVersion=", // the version expires
		"limit=20 continue= resourceVersion=", "limit=20 continue=20 resourceVersion=",
		"limit=20 continue=40 resourceVersion=",
	}
	if diff := cmp.Diff(want, pages); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestListPagerReducesPages checks that the list has transformed objects, and the resource version of the pages.
func TestListPagerReducesPages(t *testing.T) {
	server := &pagedServer{configMaps: []corev1.ConfigMap{*configmaps.Source("kong", "a", "p")}}
	lister := &toolscache.ListWatch{ListWithContextFunc: server.list, WatchFuncWithContext: server.watch}
	for name, test := range map[string]struct {
		transform toolscache.TransformFunc
		want      string
	}{
		"reduced":       {new(sourceBudget).reduceConfigMap, "*clusterstate.cachedSource"},
		"no transform":  {nil, "*v1.ConfigMap"},
		"not an object": {func(any) (any, error) { return http.MethodGet, nil }, "*v1.ConfigMap"},
	} {
		pager := listPager{lister: lister, size: 1, transform: test.transform}
		list, err := pager.list(t.Context(), metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			t.Fatal(err)
		}
		items, err := meta.ExtractListWithAlloc(list)
		if err != nil || len(items) != 1 || fmt.Sprintf("%T", items[0]) != test.want {
			t.Errorf("%s: items %v, error %v; want one %s", name, items, err, test.want)
		}
		if accessor, err := meta.ListAccessor(list); err != nil || accessor.GetResourceVersion() != "7" {
			t.Errorf("%s: the resource version of the pages is missing: %v", name, err)
		}
	}
}

package clusterstate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/test/configmaps"
)

// TestReadSourcesReadsAllPages uses a real client, with JSON and with protobuf. ReadSources decodes every page into the
// same list, so nothing of the previous page may remain in it.
func TestReadSourcesReadsAllPages(t *testing.T) {
	var all []corev1.ConfigMap
	for i := range 2*sourcePageSize + 1 {
		source := configmaps.Source("kong", fmt.Sprintf("part-%02d", i), "dao-test")
		source.Data[fmt.Sprintf("module_%02d.lua", i)] = ""
		all = append(all, *source)
	}
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("ConfigMap"), meta.RESTScopeNamespace)
	for _, contentType := range []string{runtime.ContentTypeJSON, runtime.ContentTypeProtobuf} {
		t.Run(contentType, func(t *testing.T) {
			var requests []string
			server := httptest.NewServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
				query := request.URL.Query()
				requests = append(requests,
					request.URL.Path+" "+query.Get("labelSelector")+" "+query.Get("limit")+" "+query.Get("continue"))
				if len(requests) > len(all) {
					http.Error(writer, "too many pages", http.StatusTeapot)
					return
				}
				servePage(t, writer, contentType, all, query.Get("labelSelector"), query.Get("limit"), query.Get("continue"))
			}))
			defer server.Close()
			live, err := client.New(&rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: contentType}},
				client.Options{Scheme: scheme, Mapper: mapper})
			if err != nil {
				t.Fatal(err)
			}
			var index catalog.Index
			if err := ReadSources(t.Context(), live, &index, "kong", []string{"dao-test"}); err != nil {
				t.Fatal(err)
			}
			releases := index.Releases("kong", "dao-test")
			if len(releases) != 1 || len(releases[0].Denials) > 0 {
				t.Fatalf("got %+v", releases)
			}
			if got, want := len(releases[0].Sources), len(all); got != want {
				t.Errorf("the release has %d sources, want %d", got, want)
			}
			const firstPage = "/api/v1/namespaces/kong/configmaps kongdao.io/plugin in (dao-test) 10 "
			if diff := cmp.Diff([]string{firstPage, firstPage + "10", firstPage + "20"}, requests); diff != "" {
				t.Errorf("requests (-want +got)\n%s", diff)
			}
		})
	}
}

// servePage answers a list request for ConfigMaps as the API server does.
func servePage(
	t *testing.T, writer http.ResponseWriter, contentType string, all []corev1.ConfigMap, selector, limit, next string,
) {
	parsed, err := labels.Parse(selector)
	if err != nil || !parsed.Matches(labels.Set{annotations.Plugin: "dao-test"}) ||
		parsed.Matches(labels.Set{annotations.Plugin: "x"}) {
		t.Errorf("selector %q: %v", selector, err)
	}
	from, _ := strconv.Atoi(next)
	size, _ := strconv.Atoi(limit)
	page := &corev1.ConfigMapList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMapList"}}
	to := min(from+size, len(all))
	page.Items = all[from:to]
	if to < len(all) {
		page.Continue = strconv.Itoa(to)
	}
	text, err := json.Marshal(page)
	if contentType == runtime.ContentTypeProtobuf {
		var raw []byte
		if raw, err = page.Marshal(); err == nil {
			wrapped := runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: "v1", Kind: "ConfigMapList"}, Raw: raw}
			text, err = wrapped.Marshal()
			text = append([]byte("k8s\x00"), text...)
		}
	}
	if err != nil {
		t.Error(err)
	}
	writer.Header().Set("Content-Type", contentType)
	if _, err := writer.Write(text); err != nil {
		t.Error(err)
	}
}

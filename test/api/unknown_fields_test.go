package api

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/annotations"
)

// podManifest is a pod with many fields that the webhook does not decode, including the newest fields of this API
// server.
const podManifest = `
apiVersion: v1
kind: Pod
metadata:
  name: NAME
  labels: {app: kong, example.com/team: gateways}
  annotations: {example.com/note: "a \"quoted\" <note> & more"}
  finalizers: [example.com/hold]
spec:
  hostnameOverride: gateway.example.com
  setHostnameAsFQDN: false
  schedulingGates: [{name: example.com/wait}]
  resources: {requests: {cpu: 500m, memory: 512Mi}, limits: {cpu: "1", memory: 1Gi}}
  securityContext: {runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, supplementalGroupsPolicy: Strict, seccompProfile: {type: RuntimeDefault}}
  topologySpreadConstraints:
    - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, matchLabelKeys: [example.com/team], labelSelector: {matchLabels: {app: kong}}}
  resourceClaims: [{name: device, resourceClaimName: some-device}]
  initContainers:
    - {name: native-sidecar, image: "envoy:1", restartPolicy: Always, startupProbe: {httpGet: {port: 80}}}
  containers:
    - name: proxy
      image: kong:3.9
      imagePullPolicy: Never
      env:
        - {name: KONG_DATABASE, value: postgres}
        - {name: KONG_PG_PASSWORD, valueFrom: {secretKeyRef: {name: pg, key: password}}}
        - {name: GOMEMLIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
      resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}]
      resources: {claims: [{name: device, request: one}], requests: {cpu: 250m}}
      readinessProbe: {grpc: {port: 9000, service: ready}, terminationGracePeriodSeconds: null}
      livenessProbe: {httpGet: {port: 8100}, terminationGracePeriodSeconds: 20}
      lifecycle: {preStop: {sleep: {seconds: 5}}}
      securityContext: {appArmorProfile: {type: RuntimeDefault}, procMount: Default, readOnlyRootFilesystem: true}
      volumeMounts:
        - {name: image, mountPath: /image, readOnly: true, recursiveReadOnly: IfPossible}
        - {name: claim, mountPath: /data, mountPropagation: None}
  volumes:
    - {name: image, image: {reference: "example.com/files:1", pullPolicy: IfNotPresent}}
    - name: claim
      ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], volumeAttributesClassName: fast, resources: {requests: {storage: 1Gi}}}}}
    - name: bundle
      projected: {sources: [{clusterTrustBundle: {name: bundle, path: ca.pem}}]}
`

// TestUnknownFieldsStay checks that an injection keeps all other fields of a pod. Patches that are computed from a
// decoded pod remove the fields that the decoder does not know (fact W1).
func TestUnknownFieldsStay(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	createPod := func(name string, requests bool) *unstructured.Unstructured {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(strings.Replace(podManifest, "NAME", name, 1)), &object.Object); err != nil {
			t.Fatal(err)
		}
		object.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Pod"})
		object.SetNamespace(ns)
		if requests {
			all := object.GetAnnotations()
			maps.Copy(all, requesting("dao-test"))
			object.SetAnnotations(all)
		}
		shared.Create(t, object)
		return object
	}
	plain, injected := createPod("plain", false), createPod("injected", true)
	for _, path := range [][]string{{"spec", "hostnameOverride"}, {"spec", "resources"},
		{"spec", "securityContext", "supplementalGroupsPolicy"}} {
		if _, found, _ := unstructured.NestedFieldNoCopy(plain.Object, path...); !found {
			t.Errorf("this API server drops the field %v; choose another field for this test", path)
		}
	}
	removeInjection(t, injected)
	without, with := comparableFields(t, plain), comparableFields(t, injected)
	if diff := cmp.Diff(without, with); diff != "" {
		t.Errorf("the injection changed other fields (-without +with):\n%s", diff)
	}
}

// tokenName matches the name of the volume with the token of the service account.
var tokenName = regexp.MustCompile(`kube-api-access-[a-z0-9]+`)

// comparableFields returns a pod without the fields that differ between any two pods: its identity and its times.
func comparableFields(t *testing.T, pod *unstructured.Unstructured) map[string]any {
	t.Helper()
	text, err := yaml.Marshal(pod.Object)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	// The name of this volume is random.
	if err := yaml.Unmarshal(tokenName.ReplaceAll(text, []byte("kube-api-access")), &object); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"name", "uid", "resourceVersion", "creationTimestamp", "managedFields"} {
		unstructured.RemoveNestedField(object, "metadata", field)
	}
	conditions, _, err := unstructured.NestedSlice(object, "status", "conditions")
	if err != nil {
		t.Fatal(err)
	}
	for _, condition := range conditions {
		delete(condition.(map[string]any), "lastTransitionTime")
	}
	if err := unstructured.SetNestedSlice(object, conditions, "status", "conditions"); err != nil {
		t.Fatal(err)
	}
	return object
}

// removeInjection removes what an injection adds to the pod. It fails the test if something is missing.
func removeInjection(t *testing.T, pod *unstructured.Unstructured) {
	t.Helper()
	remove := func(list []any, key string, names ...string) []any {
		kept := slices.DeleteFunc(slices.Clone(list), func(item any) bool {
			return slices.Contains(names, item.(map[string]any)[key].(string))
		})
		if len(kept) != len(list)-len(names) {
			t.Errorf("%d of %q are in %v", len(list)-len(kept), names, list)
		}
		return kept
	}
	metadata := pod.Object["metadata"].(map[string]any)
	for member, names := range map[string][]string{
		"labels": {annotations.Injected}, "annotations": {annotations.Plugins, annotations.InjectionRecord},
	} {
		for _, name := range names {
			if _, ok := metadata[member].(map[string]any)[name]; !ok {
				t.Errorf("the pod has no %s %s", member, name)
			}
			delete(metadata[member].(map[string]any), name)
		}
	}
	spec := pod.Object["spec"].(map[string]any)
	spec["volumes"] = remove(spec["volumes"].([]any), "name", "kongdao-dao-test", "kongdao-migrations")
	proxy := spec["containers"].([]any)[0].(map[string]any)
	proxy["env"] = remove(proxy["env"].([]any), "name", "KONG_PLUGINS", "KONG_LUA_PACKAGE_PATH")
	proxy["volumeMounts"] = remove(proxy["volumeMounts"].([]any), "name", "kongdao-dao-test", "kongdao-migrations")
}

package mutate_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/goldens"
)

// mismatches returns the mismatches of the first Kong container with a database.
func mismatches(t *testing.T, pod mutate.Pod) []string {
	t.Helper()
	record, err := mutate.ParseInjectionRecord(pod.Annotations)
	if err != nil {
		t.Fatal(err)
	}
	request, _ := annotations.Parse(pod.Annotations)
	container := mutate.KongContainer(pod, request)
	if container == nil {
		return nil
	}
	return mutate.RecordMismatches(pod, container, record)
}

// TestInjectedPodsMatchTheirRecord proves that each injected pod of the goldens matches its injection record.
func TestInjectedPodsMatchTheirRecord(t *testing.T) {
	checked := 0
	for _, c := range goldens.Cases(t, casesFolder) {
		_, injected := inject(t, c)
		if injected == nil {
			continue
		}
		pod := decode(t, injected)
		if pod.Annotations[annotations.InjectionRecord] == "" {
			continue // the pod requests nothing
		}
		checked++
		if found := mismatches(t, pod); len(found) > 0 {
			t.Errorf("%s: %q", c.Name, found)
		}
	}
	if checked < 20 {
		t.Errorf("only %d pods are injected", checked)
	}
}

// TestMountedMigrations proves that a container's own mount of the migrations matches, with each type of volume. An
// injection keeps this mount.
func TestMountedMigrations(t *testing.T) {
	for _, source := range []string{
		`"configMap":{"name":"kong-plugin-dao-test-migrations"}`, `"secret":{"secretName":"migrations"}`,
		`"hostPath":{"path":"/"}`, `"emptyDir":{}`,
	} {
		pod := decode(t, []byte(`{
			"metadata":{"annotations":{"kongdao.io/injection":
				"{\"releases\":[{\"plugin\":\"dao-test\",\"migrations\":\"x\",\"sources\":[\"dao-test\"]}]}"}},
			"spec":{"volumes":[{"name":"root","emptyDir":{}},{"name":"migrations",`+source+`}],
			"containers":[{"name":"proxy","image":"kong:3.9","env":[{"name":"KONG_PLUGINS","value":"dao-test"}],
			"volumeMounts":[{"name":"root","mountPath":"/opt/kong/plugins/dao-test"},
				{"name":"migrations","mountPath":"/opt/kong/plugins/dao-test/migrations"}]}]}}`))
		if found := mismatches(t, pod); len(found) > 0 {
			t.Errorf("%s: %q", source, found)
		}
	}
}

// TestForgedRecords proves that a pod does not match a record that its author wrote without an injection.
func TestForgedRecords(t *testing.T) {
	const folder = `"/opt/kong/plugins/dao-test"`
	inject := func(volume corev1.Volume, mounts ...corev1.VolumeMount) *corev1.Pod {
		return &corev1.Pod{Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "proxy", Image: "kong:3.9", VolumeMounts: mounts,
				Env: []corev1.EnvVar{{Name: "KONG_PLUGINS", Value: "bundled, dao-test"}},
			}},
			Volumes: []corev1.Volume{volume},
		}}
	}
	mount := func(name, subPath string) corev1.VolumeMount {
		return corev1.VolumeMount{Name: name, MountPath: "/opt/kong/plugins/dao-test/", SubPath: subPath}
	}
	projected := func(name, configMap, path string) corev1.Volume {
		var items []corev1.KeyToPath
		if path != "" {
			items = []corev1.KeyToPath{{Key: "handler.lua", Path: path}}
		}
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: corev1.LocalObjectReference{Name: configMap}, Items: items,
			}}},
		}}}
	}
	host := func(name string) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: "/"},
		}}
	}
	withoutPlugin := inject(projected("kongdao-dao-test", "dao-test", "handler.lua"), mount("kongdao-dao-test", ""))
	withoutPlugin.Spec.Containers[0].Env = nil
	for name, test := range map[string]struct {
		pod  *corev1.Pod
		want string
	}{
		"as injected": {inject(projected("kongdao-dao-test", "dao-test", "handler.lua"), mount("kongdao-dao-test", "")), ""},
		"no mount":    {inject(host("other")), folder + " is not mounted"},
		"not loaded":  {withoutPlugin, `KONG_PLUGINS does not name plugin "dao-test"`},
		"no such volume": {
			inject(host("other"), mount("kongdao-dao-test", "")), `volume "kongdao-dao-test", which the pod does not have`,
		},
		"managed volume is a host path": {
			inject(host("kongdao-dao-test"), mount("kongdao-dao-test", "")), "files that are not from ConfigMaps of the release",
		},
		"other ConfigMap": {
			inject(projected("kongdao-dao-test", "other", "handler.lua"), mount("kongdao-dao-test", "")),
			"files that are not from ConfigMaps of the release",
		},
		"whole ConfigMap": {
			inject(projected("kongdao-dao-test", "dao-test", ""), mount("kongdao-dao-test", "")),
			"files that are not from ConfigMaps of the release",
		},
		"subPath without files": {
			inject(projected("kongdao-migrations", "dao-test", "other/000_base.lua"), mount("kongdao-migrations", "dao-test")),
			"files that are not from ConfigMaps of the release",
		},
		"other volume of the chart": {inject(projected("plugins", "other", ""), mount("plugins", "")), ""},
		"other volume of the host":  {inject(host("plugins"), mount("plugins", "")), ""},
	} {
		test.pod.Annotations = map[string]string{
			annotations.InjectionRecord: `{"releases":[{"plugin":"dao-test","digest":"x","sources":["dao-test"]}]}`,
		}
		text, err := yaml.Marshal(test.pod)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = yaml.YAMLToJSON(text); err != nil {
			t.Fatal(err)
		}
		found := mismatches(t, decode(t, text))
		if len(found) == 0 != (test.want == "") || !strings.Contains(strings.Join(found, "\n"), test.want) {
			t.Errorf("%s: the mismatches are %q, want %q", name, found, test.want)
		}
	}
}

package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/test/cluster"
)

// forgeRecord gives a pod an injection record although kongdao did not inject it.
func forgeRecord(t *testing.T, pod *corev1.Pod, releases ...mutate.ReleaseRecord) *corev1.Pod {
	t.Helper()
	text, err := json.Marshal(mutate.InjectionRecord{Releases: releases})
	if err != nil {
		t.Fatal(err)
	}
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, annotations.InjectionRecord, string(text))
	metav1.SetMetaDataLabel(&pod.ObjectMeta, annotations.Injected, "true")
	return pod
}

// injectionRecord returns the injection record of a pod.
func injectionRecord(t *testing.T, pod *corev1.Pod) mutate.InjectionRecord {
	t.Helper()
	text := pod.Annotations[annotations.InjectionRecord]
	var record mutate.InjectionRecord
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		t.Fatalf("the injection record is %q: %v", text, err)
	}
	return record
}

// TestForgedRecordDoesNotBypassPolicies proves that a pod with a forged injection record does not get a plugin that is
// not allowed, and gets the plugins of policies.
func TestForgedRecordDoesNotBypassPolicies(t *testing.T) {
	t.Parallel()
	ns := restrictedNamespace(t)
	forged := mutate.ReleaseRecord{
		Plugin: forbidden, Version: "1.0.0",
		Digest: "sha256:" + strings.Repeat("0", 64), Sources: []string{forbidden + "-1.0.0"},
	}
	wantDeniedNow(t, forgeRecord(t, pod(ns, "kong", forbidden), forged), notAllowed(ns))
	createPolicy(t, "gives", policySpec{Plugins: plugins(allowed)}, ns)
	wantKongPlugins(t, kongPod(ns, "kong"), "bundled,"+allowed)
	created, err := createDryRun(t.Context(), forgeRecord(t, kongPod(ns, "kong"), forged))
	if err != nil || kongPlugins(created) != "bundled,"+allowed {
		t.Fatalf("KONG_PLUGINS is %q: %v", kongPlugins(created), err)
	}
	if releases := injectionRecord(t, created).Releases; len(releases) != 1 || releases[0].Plugin != allowed {
		t.Errorf("the injection record still has the forged release: %v", releases)
	}
}

// TestForgedRecordCopiesNothing proves that a forged injection record does not copy plugins from other namespaces. One
// record names a plugin that the policy does not allow, the other a namespace that is not a library. Both pods keep
// waiting, and an Event says why.
func TestForgedRecordCopiesNothing(t *testing.T) {
	t.Parallel()
	ns, library, foreign := shared.CreateNamespace(t), shared.CreateNamespace(t), shared.CreateNamespace(t)
	source(t, library, allowed, "1.0.0")
	source(t, library, forbidden, "1.0.0")
	source(t, foreign, allowed, "2.0.0")
	createPolicy(t, "offers", policySpec{Allowed: []string{"dao-*"}, Library: library}, ns)
	createPolicy(t, "reads", policySpec{Plugins: plugins(forbidden), Library: library}, foreign)
	permitted := kongPod(foreign, "kong")
	wantKongPlugins(t, permitted, "bundled,"+forbidden)
	shared.Create(t, permitted)
	notAllowed := injectionRecord(t, permitted).Releases[0]
	notLibrary := notAllowed
	notLibrary.Library, notLibrary.Plugin, notLibrary.Version = foreign, allowed, "2.0.0"
	for name, forged := range map[string]mutate.ReleaseRecord{"not-allowed": notAllowed, "not-a-library": notLibrary} {
		attacker := forgeRecord(t, kongPod(ns, name), forged)
		attacker.Spec.Containers[0].Image = "nginx" // so the API server does not call the webhook
		attacker.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: annotations.LibraryGate}}
		shared.Create(t, attacker)
		want := `no policy lets namespace "` + ns + `" use it from library "`
		cluster.Eventually(t, func(ctx context.Context) error {
			notes, err := eventNotes(ctx, ns, name)
			if err == nil && !strings.Contains(notes, want) {
				err = fmt.Errorf("the Events are %q", notes)
			}
			return err
		})
		get(t, attacker)
		if !awaitsCopies(attacker) {
			t.Errorf("%s: the pod no longer waits", name)
		}
	}
	if copies := copiesIn(t.Context(), t, ns); len(copies) > 0 {
		t.Errorf("the namespace has %d copies", len(copies))
	}
}

// TestOnlyKongdaoCreatesCopies proves that only kongdao can create ConfigMaps with the name of a copy, and that kongdao
// can create and delete no others.
func TestOnlyKongdaoCreatesCopies(t *testing.T) {
	t.Parallel()
	const reserved = "is reserved for kongdao's copies of plugin libraries"
	const onlyCopies = "kongdao can create and delete only"
	ns := shared.CreateNamespace(t)
	configMap := func(name, generateName string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, GenerateName: generateName}}
	}
	kongdao := kongdaoClient(t)
	for name, test := range map[string]struct {
		client    client.Client
		configMap *corev1.ConfigMap
		want      string
	}{
		"a person":                 {webhook.Admin, configMap("kongdao-copy-x", ""), reserved},
		"a person, generated name": {webhook.Admin, configMap("", "kongdao-copy-"), reserved},
		"a person, another name":   {webhook.Admin, configMap("kongdao-cop", ""), ""},
		"kongdao":                  {kongdao, configMap("kongdao-copy-y", ""), ""},
		"kongdao, another name":    {kongdao, configMap("other", ""), onlyCopies},
	} {
		err := test.client.Create(t.Context(), test.configMap)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, want %q", name, err, test.want)
		}
	}
	err := kongdao.Delete(t.Context(), configMap("kongdao-cop", ""))
	if err == nil || !strings.Contains(err.Error(), onlyCopies) {
		t.Errorf("kongdao deletes another ConfigMap: %v", err)
	}
	err = errors.Join(kongdao.Delete(t.Context(), configMap("kongdao-copy-y", "")),
		webhook.Admin.Delete(t.Context(), configMap("kongdao-cop", "")))
	if err != nil {
		t.Error(err)
	}
}

package admission

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/policy"
)

// fakeReader is an API server with ConfigMaps and pods. It returns each list in one page.
type fakeReader struct {
	client.Reader
	configMaps []*corev1.ConfigMap
	pods       []metav1.ObjectMeta
	// fail, if set, is called before each read.
	fail func(context.Context) error

	mutex sync.Mutex
	// lists are the options of all reads.
	lists []client.ListOptions
}

func (r *fakeReader) List(ctx context.Context, into client.ObjectList, options ...client.ListOption) error {
	var requested client.ListOptions
	requested.ApplyOptions(options)
	r.mutex.Lock()
	r.lists = append(r.lists, requested)
	r.mutex.Unlock()
	if r.fail != nil {
		if err := r.fail(ctx); err != nil {
			return err
		}
	}
	isListed := func(object *metav1.ObjectMeta) bool {
		return object.Namespace == requested.Namespace && requested.LabelSelector.Matches(labels.Set(object.Labels))
	}
	metadata, isMetadata := into.(*metav1.PartialObjectMetadataList)
	if isMetadata && metadata.Kind == "PodList" {
		for i := range r.pods {
			if isListed(&r.pods[i]) {
				metadata.Items = append(metadata.Items, metav1.PartialObjectMetadata{ObjectMeta: r.pods[i]})
			}
		}
		return nil
	}
	for _, configMap := range r.configMaps {
		if !isListed(&configMap.ObjectMeta) {
			continue
		}
		if isMetadata {
			metadata.Items = append(metadata.Items, metav1.PartialObjectMetadata{ObjectMeta: configMap.ObjectMeta})
		} else {
			list := into.(*corev1.ConfigMapList)
			list.Items = append(list.Items, *configMap.DeepCopy())
		}
	}
	return nil
}

// fakeEvents records Events.
type fakeEvents struct {
	mutex  sync.Mutex
	events []event
}

type event struct {
	Regarding                  *corev1.ObjectReference
	Type, Reason, Action, Note string
}

func (r *fakeEvents) Eventf(regarding, _ runtime.Object, eventType, reason, action, note string, args ...any) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if note != "%s" || len(args) != 1 {
		panic("the message of an Event must not be used as a format")
	}
	r.events = append(r.events, event{regarding.(*corev1.ObjectReference), eventType, reason, action, args[0].(string)})
}

// fakeLog records log lines with their values. The key "" has the whole line.
type fakeLog struct {
	mutex sync.Mutex
	lines []line
}

type line map[string]any

func (l *fakeLog) logger() logr.Logger {
	return funcr.NewJSON(func(text string) {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		read := line{"": text}
		if err := json.Unmarshal([]byte(text), &read); err != nil {
			panic(err)
		}
		l.lines = append(l.lines, read)
	}, funcr.Options{})
}

// all returns all lines as text.
func (l *fakeLog) all() string {
	var text strings.Builder
	for _, line := range l.lines {
		text.WriteString(line[""].(string) + "\n")
	}
	return text.String()
}

// fakeLabels are the labels of every namespace.
type fakeLabels map[string]string

func (f fakeLabels) Labels(context.Context, string) (map[string]string, error) { return f, nil }

// failingLabels fails to read the labels of a namespace.
type failingLabels struct{ err error }

func (f failingLabels) Labels(context.Context, string) (map[string]string, error) { return nil, f.err }

// fakeMigrations gives the same answer for every PluginMigration, and records the last one.
type fakeMigrations struct {
	migrated bool
	err      error
	last     string
	// all are the PluginMigrations that are migrated.
	all []v1alpha1.PluginMigration
}

func (f *fakeMigrations) IsMigrated(_ context.Context, namespace, name string) (bool, error) {
	f.last = namespace + "/" + name
	return f.migrated, f.err
}

func (f *fakeMigrations) Migrated(context.Context, string) ([]v1alpha1.PluginMigration, error) {
	return f.all, f.err
}

// fakeEffects records the effects of policies on the last pod.
type fakeEffects struct {
	recorded bool
	effects  policy.Effects
	owner    v1alpha1.WorkloadReference
}

func (f *fakeEffects) RecordEffects(effects policy.Effects, owner v1alpha1.WorkloadReference) {
	f.recorded, f.effects, f.owner = true, effects, owner
}

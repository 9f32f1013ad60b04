package clusterstate

import (
	"context"
	"errors"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// fakeMigrations is a cache with one PluginMigration, or with none if it is nil.
type fakeMigrations struct {
	client.Reader
	migration *v1alpha1.PluginMigration
	err       error
}

func (f fakeMigrations) Get(
	_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption,
) error {
	switch {
	case f.err != nil:
		return f.err
	case f.migration == nil || key.Namespace != "kong" || key.Name != "dao":
		return apierrors.NewNotFound(schema.GroupResource{Resource: "pluginmigrations"}, key.Name)
	}
	f.migration.DeepCopyInto(object.(*v1alpha1.PluginMigration))
	return nil
}

func (f fakeMigrations) List(_ context.Context, list client.ObjectList, options ...client.ListOption) error {
	if f.err != nil {
		return f.err
	}
	var applied client.ListOptions
	applied.ApplyOptions(options)
	if f.migration != nil && applied.Namespace == "kong" {
		list.(*v1alpha1.PluginMigrationList).Items = []v1alpha1.PluginMigration{*f.migration, {}}
	}
	return nil
}

// TestMigrated checks that only PluginMigrations count that are migrated.
func TestMigrated(t *testing.T) {
	migrated := &v1alpha1.PluginMigration{}
	migrated.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionMigrated, Status: metav1.ConditionTrue}}
	reader := &Migrations{cached: fakeMigrations{migration: migrated}}
	for namespace, want := range map[string]int{"kong": 1, "other": 0} {
		if got, err := reader.Migrated(t.Context(), namespace); len(got) != want || err != nil {
			t.Errorf("namespace %q: %d PluginMigrations, %v; want %d", namespace, len(got), err, want)
		}
	}
	reader.cached = fakeMigrations{err: errors.New("the cache is closed")}
	_, err := reader.Migrated(t.Context(), "kong")
	if err == nil || err.Error() != "list PluginMigrations: the cache is closed" {
		t.Errorf("got %v", err)
	}
}

func TestIsMigrated(t *testing.T) {
	migrated := &v1alpha1.PluginMigration{}
	migrated.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionMigrated, Status: metav1.ConditionTrue}}
	for name, test := range map[string]struct {
		cached fakeMigrations
		synced bool
		want   bool
		err    string
	}{
		"migrated":     {cached: fakeMigrations{migration: migrated}, synced: true, want: true},
		"not migrated": {cached: fakeMigrations{migration: &v1alpha1.PluginMigration{}}, synced: true},
		"not found":    {synced: true},
		"not synced":   {cached: fakeMigrations{migration: migrated}},
		"unreadable": {
			cached: fakeMigrations{err: errors.New("the cache is closed")}, synced: true,
			err: `read PluginMigration "kong/dao": the cache is closed`,
		},
	} {
		migrations := &Migrations{cached: test.cached, synced: func() bool { return test.synced }}
		got, err := migrations.IsMigrated(t.Context(), "kong", "dao")
		if got != test.want || (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%s: got %v, %v, want %v, %q", name, got, err, test.want, test.err)
		}
	}
}

func TestNewMigrationsFollowsTheInformer(t *testing.T) {
	informer := toolscache.NewSharedIndexInformer(&toolscache.ListWatch{}, &v1alpha1.PluginMigration{}, 0, nil)
	migrations, err := NewMigrations(t.Context(), fakeInformers{informer: informer}, fakeMigrations{})
	if err != nil || migrations.synced() {
		t.Errorf("got %+v, %v", migrations, err)
	}
	_, err = NewMigrations(t.Context(), fakeInformers{err: errors.New("no such kind")}, fakeMigrations{})
	if err == nil || !strings.Contains(err.Error(), "watch PluginMigrations: no such kind") {
		t.Errorf("got error %v", err)
	}
}

package clusterstate

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// databasePods holds the pods of one database.
type databasePods struct {
	// sorted holds the pods, sorted by namespace and name.
	sorted []*InjectedPod
	// namespaces counts the pods by namespace.
	namespaces map[string]int
}

// OfDatabase returns the pods of a database in all namespaces, sorted by namespace and name. Do not change them.
func (p *InjectedPods) OfDatabase(database string) []*InjectedPod {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	if pods := p.databases[database]; pods != nil {
		return slices.Clone(pods.sorted)
	}
	return nil
}

// replaceInDatabases replaces a version of a pod by another one in the index of databases. Either can be nil. It
// returns the databases whose plans can change.
func (p *InjectedPods) replaceInDatabases(old, pod *InjectedPod) []DatabaseKey {
	old, pod = migrating(old), migrating(pod)
	if old != nil && pod != nil && old.database() == pod.database() {
		pods := p.databases[pod.database()]
		at, _ := pods.find(pod)
		pods.sorted[at] = pod
		if samePlan(old, pod) {
			return nil
		}
		return pods.affected(pod.database(), pod.Namespace, !old.Migration.Gated || !pod.Migration.Gated)
	}
	return append(p.removeFromDatabase(old), p.addToDatabase(pod)...)
}

// migrating returns the pod if it matters for migrations, and otherwise nil.
func migrating(pod *InjectedPod) *InjectedPod {
	if pod == nil || !pod.migrates {
		return nil
	}
	return pod
}

// samePlan reports whether two versions of a pod lead to the same plan. Most changes of a pod's status do.
func samePlan(old, pod *InjectedPod) bool {
	return old.UID == pod.UID && reflect.DeepEqual(old.Migration, pod.Migration) &&
		maps.Equal(old.Libraries, pod.Libraries)
}

func (p *InjectedPods) addToDatabase(pod *InjectedPod) []DatabaseKey {
	if pod == nil {
		return nil
	}
	if p.databases == nil {
		p.databases = map[string]*databasePods{}
	}
	pods := p.databases[pod.database()]
	if pods == nil {
		pods = &databasePods{namespaces: map[string]int{}}
		p.databases[pod.database()] = pods
	}
	at, _ := pods.find(pod)
	pods.sorted = slices.Insert(pods.sorted, at, pod)
	pods.namespaces[pod.Namespace]++
	return pods.affected(pod.database(), pod.Namespace, !pod.Migration.Gated)
}

func (p *InjectedPods) removeFromDatabase(pod *InjectedPod) []DatabaseKey {
	if pod == nil {
		return nil
	}
	pods := p.databases[pod.database()]
	changed := pods.affected(pod.database(), pod.Namespace, !pod.Migration.Gated)
	at, _ := pods.find(pod)
	pods.sorted = slices.Delete(pods.sorted, at, at+1)
	if pods.namespaces[pod.Namespace]--; pods.namespaces[pod.Namespace] == 0 {
		delete(pods.namespaces, pod.Namespace)
	}
	if len(pods.sorted) == 0 {
		delete(p.databases, pod.database())
	}
	return changed
}

// find returns the position of a pod, or where to insert it.
func (d *databasePods) find(pod *InjectedPod) (at int, found bool) {
	return slices.BinarySearchFunc(d.sorted, pod, func(a, b *InjectedPod) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
}

// affected returns the keys of the plans that a change of a pod can affect. Plans of other namespaces look only at pods
// that can run: their `finish` waits for these. A pod with a gate does not run.
func (d *databasePods) affected(database, namespace string, runs bool) []DatabaseKey {
	if !runs {
		return []DatabaseKey{{Namespace: namespace, Database: database}}
	}
	return d.keys(database)
}

// keys returns one key for each namespace with pods of the database.
func (d *databasePods) keys(database string) []DatabaseKey {
	keys := make([]DatabaseKey, 0, len(d.namespaces))
	for namespace := range d.namespaces {
		keys = append(keys, DatabaseKey{Namespace: namespace, Database: database})
	}
	return keys
}

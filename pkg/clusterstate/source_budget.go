package clusterstate

import (
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"kongdao.io/kongdao/pkg/catalog"
)

// sourceBudget limits the memory for the sources of each namespace from the moment when they are decoded. The catalog's
// index counts only what it has already. Without the budget, the first list could hold much more. It is safe for
// concurrent use.
type sourceBudget struct {
	mutex      sync.Mutex
	namespaces map[string]*namespaceBudget
}

// namespaceBudget holds the sources that keep their keys.
type namespaceBudget struct {
	bytes int
	kept  map[string]keptSource // by name
}

type keptSource struct {
	uid   types.UID
	bytes int
}

// spend returns the source as it may be kept: with its keys, or without them if the namespace has no room. A ConfigMap
// counts once: its new state replaces the old one.
func (b *sourceBudget) spend(uid types.UID, source catalog.Source) catalog.Source {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	account := accountOf(source)
	b.forget(account, source.Name)
	if len(source.Keys) == 0 {
		return source
	}
	if b.namespaces == nil {
		b.namespaces = map[string]*namespaceBudget{}
	}
	namespace := b.namespaces[account]
	if namespace == nil {
		namespace = &namespaceBudget{kept: map[string]keptSource{}}
	}
	if namespace.bytes+source.Bytes > catalog.MaxNamespaceBytes {
		return source.WithoutKeys()
	}
	b.namespaces[account] = namespace
	namespace.bytes += source.Bytes
	namespace.kept[source.Name] = keptSource{uid, source.Bytes}
	return source
}

// release makes room after a ConfigMap was deleted. If another ConfigMap of the same name was already decoded, that one
// keeps its place.
func (b *sourceBudget) release(uid types.UID, source catalog.Source) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	account := accountOf(source)
	if namespace := b.namespaces[account]; namespace != nil && namespace.kept[source.Name].uid == uid {
		b.forget(account, source.Name)
	}
}

// forget removes a ConfigMap from an account.
func (b *sourceBudget) forget(account, name string) {
	namespace := b.namespaces[account]
	if namespace == nil {
		return
	}
	namespace.bytes -= namespace.kept[name].bytes
	delete(namespace.kept, name)
	if len(namespace.kept) == 0 {
		delete(b.namespaces, account)
	}
}

// accountOf returns whose room a ConfigMap takes. Sources take no room from copies.
func accountOf(source catalog.Source) string {
	if strings.HasPrefix(source.Name, catalog.CopyPrefix) {
		return source.Namespace + "/copies"
	}
	return source.Namespace
}

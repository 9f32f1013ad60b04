// Package clusterstate holds the state of the cluster: the plugins' sources, the copies of libraries' releases and the
// injected pods. Informers feed it. The admission handlers and the controllers read it.
package clusterstate

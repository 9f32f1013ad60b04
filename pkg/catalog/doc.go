// Package catalog owns what plugins there are: it turns ConfigMaps (sources)
// into releases, routes their keys to the files of a plugin's folder, checks
// each release against what a real Kong fails on, and chooses the releases
// that a request asks for.
//
//	ConfigMap -> SourceOf -> Source -> Assemble -> Release -> Resolve
//
// A Source keeps names, sizes and digests, never contents: a catalog of a
// gigabyte of ConfigMaps fits in a few megabytes. Index keeps the sources of a
// cluster and assembles the releases of one plugin when they are asked for.
package catalog

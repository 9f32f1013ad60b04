// Package catalog owns the releases of plugins. It builds releases from ConfigMaps (sources), maps their keys to the
// files of a plugin's directory, validates each release against known failures of Kong, and resolves requests to
// releases.
//
//	ConfigMap -> NewSource -> Source -> Assemble -> Release -> Resolve
//
// A Source holds names, sizes and digests, but no contents. The catalog of a gigabyte of ConfigMaps therefore needs
// only a few megabytes. Index holds the sources of a cluster and assembles the releases of a plugin on demand.
package catalog

// Package manifest injects plugins into files of Kubernetes manifests. It finds the pods, pod templates, sources,
// policies and namespaces in YAML and JSON documents, and patches the pods as the webhook does.
//
//	bytes --Read--> Documents --Inject--> Result --WriteYAML, WriteJSON or Document.Render--> bytes
//
// Package decision decides about each pod. It reads the same view of a pod as the webhook does. Package yamledit
// applies the patch operations to the text, so that all other lines stay as they are.
//
// The package is pure: it reads no files and no cluster.
package manifest

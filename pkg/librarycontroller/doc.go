// Package librarycontroller copies releases from libraries to the namespaces of the pods that need them. Only the
// leader runs it.
//
//	pods that wait for copies  --Controller--> copies, and then the scheduling gate is removed
//	copies that a pod mounts   --Controller--> restored if someone deletes them
//	copies that nothing needs  --Controller--> deleted after the retention time
package librarycontroller

package mutate

// AddGate appends the operation that gives a pod a scheduling gate, beside those
// of others, and notes in the view that it has one more.
func AddGate(patch []Operation, pod *Pod, name string) []Operation {
	patch = appendAll(patch, "/spec/schedulingGates", pod.Gates, []gate{{name}})
	pod.Gates++
	return patch
}

type gate struct {
	Name string `json:"name"`
}

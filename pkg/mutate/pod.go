package mutate

import (
	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/jsonview"
)

// Pod is the view of a pod: what decisions about it read.
type Pod struct {
	// Labels and Annotations are those whose names begin with kongdao.io/.
	Labels, Annotations map[string]string
	// HasLabels and HasAnnotations report whether the pod has any, with any names.
	HasLabels, HasAnnotations bool
	// HasMetadata reports whether the pod has metadata.
	HasMetadata bool
	// InitContainers and Containers are in the order of the pod, because the patch refers to them by index.
	InitContainers, Containers []Container
	Volumes                    []Volume
	// HasNode reports whether the pod is bound to a node.
	HasNode bool
	// Gates are the names of the pod's scheduling gates.
	Gates []string

	// decoder reads parts of the JSON again that few decisions need. labelsOffset is where it has all labels.
	decoder      *jsonview.Decoder
	labelsOffset int64
}

// AllLabels returns all labels of the pod. It decodes them on demand, because few decisions need them.
func (p *Pod) AllLabels() map[string]string {
	if p.decoder == nil || p.labelsOffset == 0 {
		return nil
	}
	all, _ := p.decoder.DecoderAt(p.labelsOffset).StringMap("")
	return all
}

// Container is the view of a container or init container.
type Container struct {
	Name, Image string
	Env         Env
	EnvFrom     []EnvFrom
	// VolumeMounts have only names, mount paths and sub-paths.
	VolumeMounts []corev1.VolumeMount
	// commandTexts are the command and the arguments in JSON, if they may have settings or a configuration file of Kong.
	commandTexts [][]byte
	// IsSidecar reports whether an init container is a native sidecar, which runs as long as the pod.
	IsSidecar bool

	// offset is where the JSON has the container.
	offset int64
}

// Env is the view of a container's variables.
type Env struct {
	// Len is the length of the whole list.
	Len int
	// Variables are those that an injection reads or writes, in the order of the list.
	Variables []Variable
	// KongSettings is the number of variables that only Kong itself reads: see isKongSetting.
	KongSettings int
	// HasController reports whether the name of a variable begins with CONTROLLER_.
	HasController bool
	// all is the whole list, if one of Variables refers to others by $(NAME).
	all []Variable
}

// Variable is one entry of a container's env.
type Variable struct {
	// Index is the index in the whole list.
	Index       int
	Name, Value string
	// HasValueFrom reports whether the value comes from a valueFrom.
	HasValueFrom bool
	// ValueFrom describes the valueFrom of a variable that identifies the database: "Secret/pg:host".
	ValueFrom string
}

// EnvFrom is the view of an entry of a container's envFrom.
type EnvFrom struct {
	Prefix string
	// Origin describes the source for messages: `ConfigMap "settings"`.
	Origin string
}

// Volume is the view of a volume.
type Volume struct {
	Name string
	// Source is the field that defines the volume: "configMap", "projected".
	Source string
	// offset is where the JSON has the source.
	offset int64
	// Projected is nil, except for a volume that kongdao manages.
	Projected *corev1.ProjectedVolumeSource
}

// lookup returns the variable that a container sees: the last one with this name, nil if there is none.
func (e *Env) lookup(name string) *Variable {
	for i := len(e.Variables) - 1; i >= 0; i-- {
		if e.Variables[i].Name == name {
			return &e.Variables[i]
		}
	}
	return nil
}

package mutate

import (
	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/jsonview"
)

// Pod is the view of a pod that an injection decides on.
type Pod struct {
	// Labels and Annotations are ours: those that begin with kongdao.io/.
	Labels, Annotations map[string]string
	// HasLabels and HasAnnotations say whether there are any, ours or not.
	HasLabels, HasAnnotations bool
	// HasMetadata says whether there is metadata to add to.
	HasMetadata bool
	// InitContainers and Containers are in the pod's order: the patch names
	// them by their index.
	InitContainers, Containers []Container
	Volumes                    []Volume
	// HasNode says that the pod is bound to a node already.
	HasNode bool
	// Gates are the names of the pod's scheduling gates.
	Gates []string

	// labelsIn and labelsAt are where all labels stand, for AllLabels.
	labelsIn *jsonview.Decoder
	labelsAt int64
}

// AllLabels are the pod's labels, ours and others'. They are read when asked for:
// most pods are decided without.
func (p *Pod) AllLabels() map[string]string {
	if p.labelsIn == nil {
		return nil
	}
	all, _ := p.labelsIn.DecoderAt(p.labelsAt).StringMap("")
	return all
}

// Container is the view of a container or init container.
type Container struct {
	Name, Image string
	Env         Env
	// EnvFrom is where further variables come from, nil for none.
	EnvFrom []EnvFrom
	// VolumeMounts hold names, mount paths and sub-paths only.
	VolumeMounts []corev1.VolumeMount
}

// Env is the view of a container's list of variables: only those that an
// injection reads or writes are kept.
type Env struct {
	// Len is the length of the whole list.
	Len int
	// Kept are the variables that isKept names, in their order.
	Kept []Variable
	// HasKong and HasController: some variable is named KONG_... or CONTROLLER_... .
	HasKong, HasController bool
	// all is the whole list, where a kept variable refers to others by $(NAME).
	all []Variable
}

// Variable is one entry of a container's env.
type Variable struct {
	// Index is its place in the whole list.
	Index       int
	Name, Value string
	// FromElsewhere says that the value comes from a valueFrom.
	FromElsewhere bool
	// From says from where, for variables that name the database: "Secret/pg:host".
	From string
}

// The variables that name the database.
const (
	EnvHost   = "KONG_PG_HOST"
	EnvPort   = "KONG_PG_PORT"
	EnvName   = "KONG_PG_DATABASE"
	EnvSchema = "KONG_PG_SCHEMA"
)

// EnvFrom is the view of an entry of a container's envFrom.
type EnvFrom struct {
	Prefix string
	// Origin is for messages: `ConfigMap "settings"`.
	Origin string
}

// Volume is the view of a volume.
type Volume struct {
	Name string
	// Source is the field that says what the volume is: "configMap", "projected".
	Source string
	// Projected is kept for the volumes that an injection may have made, nil for others.
	Projected *corev1.ProjectedVolumeSource
}

// The variables that an injection reads or writes.
const (
	envPlugins     = "KONG_PLUGINS"
	envPackagePath = "KONG_LUA_PACKAGE_PATH"
	envDatabase    = "KONG_DATABASE"
	envRole        = "KONG_ROLE"

	// helperPrefix begins the names of the variables that take over a
	// valueFrom. It must not begin with KONG_, which Kong would read.
	helperPrefix = "KONGDAO_"
)

func isKept(name string) bool {
	switch name {
	case envPlugins, envPackagePath, envDatabase, envRole, helperName(envPlugins), helperName(envPackagePath):
		return true
	}
	return namesDatabase(name)
}

func namesDatabase(name string) bool {
	switch name {
	case EnvHost, EnvPort, EnvName, EnvSchema:
		return true
	}
	return false
}

func helperName(variable string) string {
	switch variable { // spelled out: this runs for every variable of every pod
	case envPlugins:
		return helperPrefix + envPlugins
	case envPackagePath:
		return helperPrefix + envPackagePath
	}
	return helperPrefix + variable
}

// lookup yields the variable that a container really sees under name: of
// several entries the last one counts. It is nil where there is none.
func (e *Env) lookup(name string) *Variable {
	for i := len(e.Kept) - 1; i >= 0; i-- {
		if e.Kept[i].Name == name {
			return &e.Kept[i]
		}
	}
	return nil
}

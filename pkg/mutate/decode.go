package mutate

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/jsonview"
)

// DecodePod reads the view of a pod out of its JSON. A workload's pod template
// has the same shape.
func DecodePod(text []byte) (Pod, error) {
	decoder := jsonview.New(text)
	var pod Pod
	pod.Decode(decoder)
	decoder.End()
	return pod, decoder.Err()
}

// Decode reads a pod or pod template, and reports whether there is one.
func (p *Pod) Decode(d *jsonview.Decoder) bool {
	there := d.Object()
	for there && d.More() {
		switch string(d.Name()) {
		case "metadata":
			for ok := d.Object(); ok && d.More(); {
				p.HasMetadata = true
				if !p.DecodeMetadata(string(d.Name()), d) {
					d.Skip()
				}
			}
		case "spec":
			p.DecodeSpec(d)
		default:
			d.Skip()
		}
	}
	return there
}

// DecodeMetadata reads the member of a pod's metadata that is called name, and
// reports whether it is one that the view has.
func (p *Pod) DecodeMetadata(name string, d *jsonview.Decoder) bool {
	switch name {
	case "labels":
		p.labelsIn, p.labelsAt = d, d.Offset()
		kept, all := d.StringMap(annotations.Prefix)
		p.Labels, p.HasLabels = kept, all > 0
	case "annotations":
		kept, all := d.StringMap(annotations.Prefix)
		p.Annotations, p.HasAnnotations = kept, all > 0
	default:
		return false
	}
	return true
}

// DecodeSpec reads a pod's spec.
func (p *Pod) DecodeSpec(d *jsonview.Decoder) {
	for ok := d.Object(); ok && d.More(); {
		switch string(d.Name()) {
		case "initContainers":
			p.InitContainers = decodeContainers(d)
		case "containers":
			p.Containers = decodeContainers(d)
		case "volumes":
			p.Volumes = decodeVolumes(d)
		case "nodeName":
			p.HasNode = len(d.Bytes()) > 0
		case "schedulingGates":
			p.decodeGates(d)
		default:
			d.Skip()
		}
	}
}

func decodeContainers(d *jsonview.Decoder) []Container {
	containers := make([]Container, 0, 4)
	for ok := d.Array(); ok && d.More(); {
		var container Container
		for ok := d.Object(); ok && d.More(); {
			switch string(d.Name()) {
			case "name":
				container.Name = d.String()
			case "image":
				container.Image = d.String()
			case "env":
				container.Env = decodeEnv(d)
			case "envFrom":
				container.EnvFrom = decodeEnvFrom(d)
			case "volumeMounts":
				container.VolumeMounts = decodeMounts(d)
			default:
				d.Skip()
			}
		}
		containers = append(containers, container)
	}
	return containers
}

func decodeEnv(d *jsonview.Decoder) Env {
	begin := d.Offset()
	env := decodeVariables(d, false)
	for _, variable := range env.Kept {
		if namesDatabase(variable.Name) && strings.Contains(variable.Value, "$(") {
			// What it refers to stands before it, and was not kept.
			env.all = decodeVariables(d.DecoderAt(begin), true).Kept
			break
		}
	}
	return env
}

// decodeVariables keeps those that an injection reads or writes, or all.
func decodeVariables(d *jsonview.Decoder, all bool) Env {
	var env Env
	for ok := d.Array(); ok && d.More(); {
		variable, named, kept := Variable{Index: env.Len}, false, false
		for ok := d.Object(); ok && d.More(); {
			switch string(d.Name()) {
			case "name":
				name := d.Bytes()
				env.HasKong = env.HasKong || bytes.HasPrefix(name, []byte("KONG_"))
				env.HasController = env.HasController || bytes.HasPrefix(name, []byte("CONTROLLER_"))
				named = true
				if kept = all || isKept(string(name)); kept {
					variable.Name = string(name)
				}
			case "value":
				// Most variables are none of ours: their values are not kept.
				if named && !kept {
					d.Skip()
				} else {
					variable.Value = d.String()
				}
			case "valueFrom":
				from := d.Raw()
				variable.FromElsewhere = !isNull(from)
				if all || !named || namesDatabase(variable.Name) {
					variable.From = describeFrom(from)
				}
			default:
				d.Skip()
			}
		}
		if kept {
			env.Kept = append(env.Kept, variable)
		}
		env.Len++
	}
	return env
}

// describeFrom says where a valueFrom takes its value: "Secret/pg:host". What is
// not known here stands as it is.
func describeFrom(text []byte) string {
	d := jsonview.New(text)
	for ok := d.Object(); ok && d.More(); {
		kind := string(d.Name())
		members := map[string]string{}
		for ok := d.Object(); ok && d.More(); {
			switch name := string(d.Name()); name {
			case "name", "key", "fieldPath":
				members[name] = d.String()
			default:
				d.Skip()
			}
		}
		if d.Err() != nil {
			break
		}
		switch kind {
		case "secretKeyRef":
			return "Secret/" + members["name"] + ":" + members["key"]
		case "configMapKeyRef":
			return "ConfigMap/" + members["name"] + ":" + members["key"]
		case "fieldRef":
			return "field " + members["fieldPath"]
		}
	}
	return string(text)
}

// isNull tells a member that is null, which is one that is not there.
func isNull(value []byte) bool { return string(value) == "null" }

func decodeEnvFrom(d *jsonview.Decoder) []EnvFrom {
	var list []EnvFrom
	for ok := d.Array(); ok && d.More(); {
		from := EnvFrom{Origin: "elsewhere"} // a kind that is not known here
		for ok := d.Object(); ok && d.More(); {
			switch string(d.Name()) {
			case "prefix":
				from.Prefix = d.String()
			case "configMapRef":
				from.refersTo("ConfigMap", decodeReference(d))
			case "secretRef":
				from.refersTo("Secret", decodeReference(d))
			default:
				d.Skip()
			}
		}
		list = append(list, from)
	}
	return list
}

func decodeReference(d *jsonview.Decoder) string {
	var name string
	for ok := d.Object(); ok && d.More(); {
		if string(d.Name()) == "name" {
			name = d.String()
		} else {
			d.Skip()
		}
	}
	return name
}

func (f *EnvFrom) refersTo(kind, name string) {
	if name != "" { // as a null reference, which is none, would give
		f.Origin = kind + " " + strconv.Quote(name)
	}
}

func decodeMounts(d *jsonview.Decoder) []corev1.VolumeMount {
	var mounts []corev1.VolumeMount
	for ok := d.Array(); ok && d.More(); {
		var mount corev1.VolumeMount
		for ok := d.Object(); ok && d.More(); {
			switch string(d.Name()) {
			case "name":
				mount.Name = d.String()
			case "mountPath":
				mount.MountPath = d.String()
			case "subPath":
				mount.SubPath = d.String()
			case "subPathExpr":
				mount.SubPathExpr = d.String()
			default:
				d.Skip()
			}
		}
		mounts = append(mounts, mount)
	}
	return mounts
}

func decodeVolumes(d *jsonview.Decoder) []Volume {
	var volumes []Volume
	for ok := d.Array(); ok && d.More(); {
		var volume Volume
		var projected []byte
		for ok := d.Object(); ok && d.More(); {
			switch name := d.Name(); string(name) {
			case "name":
				volume.Name = d.String()
			case "projected":
				projected = bytes.Clone(d.Raw())
				if !isNull(projected) {
					volume.Source = "projected"
				}
			default:
				source := string(name)
				if !isNull(d.Raw()) {
					volume.Source = source
				}
			}
		}
		if volume.Source == "projected" && isOurs(volume.Name) {
			volume.Projected = &corev1.ProjectedVolumeSource{}
			if err := json.UnmarshalCaseSensitivePreserveInts(projected, volume.Projected); err != nil {
				d.Fail(fmt.Errorf("volume %q: %w", volume.Name, err))
			}
		}
		volumes = append(volumes, volume)
	}
	return volumes
}

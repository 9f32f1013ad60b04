package mutate

import (
	"bytes"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/jsonview"
)

// DecodePod decodes the view of a pod, or of a pod template, which has the same structure.
func DecodePod(text []byte) (Pod, error) {
	decoder := jsonview.New(text)
	var pod Pod
	pod.Decode(decoder)
	decoder.End()
	return pod, decoder.Err()
}

// Decode decodes a pod or pod template. It reports whether there is one.
func (p *Pod) Decode(d *jsonview.Decoder) bool {
	exists := d.Object()
	for exists && d.More() {
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
	return exists
}

// DecodeMetadata decodes the member of a pod's metadata with this name. It reports whether the view has this member.
func (p *Pod) DecodeMetadata(name string, d *jsonview.Decoder) bool {
	switch name {
	case "labels":
		p.decoder, p.labelsOffset = d, d.Offset()
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

// DecodeSpec decodes a pod's spec.
func (p *Pod) DecodeSpec(d *jsonview.Decoder) {
	p.decoder = d
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
			p.Gates = decodeGates(d)
		default:
			d.Skip()
		}
	}
}

func decodeGates(d *jsonview.Decoder) []string {
	var gates []string
	for ok := d.Array(); ok && d.More(); {
		gates = append(gates, decodeName(d))
	}
	return gates
}

// decodeName decodes the name of an object, and skips its other members.
func decodeName(d *jsonview.Decoder) string {
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

func decodeVolumes(d *jsonview.Decoder) []Volume {
	var volumes []Volume
	for ok := d.Array(); ok && d.More(); {
		volumes = append(volumes, decodeVolume(d))
	}
	return volumes
}

func decodeVolume(d *jsonview.Decoder) Volume {
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
			source, offset := string(name), d.Offset()
			if !isNull(d.Raw()) {
				volume.Source, volume.offset = source, offset
			}
		}
	}
	if volume.Source == "projected" && isManaged(volume.Name) {
		volume.Projected = &corev1.ProjectedVolumeSource{}
		if err := json.UnmarshalCaseSensitivePreserveInts(projected, volume.Projected); err != nil {
			d.Fail(fmt.Errorf("volume %q: %w", volume.Name, err))
		}
	}
	return volume
}

// isNull reports whether a member is null, which means the same as a missing member.
func isNull(value []byte) bool { return string(value) == "null" }

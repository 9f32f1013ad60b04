package mutate

import (
	"bytes"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"kongdao.io/kongdao/pkg/jsonview"
)

func decodeContainers(d *jsonview.Decoder) []Container {
	containers := make([]Container, 0, 4)
	for ok := d.Array(); ok && d.More(); {
		container := Container{offset: d.Offset()}
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
			case "command", "args":
				if text := d.Raw(); mentionsSettings(text) {
					container.commandTexts = append(container.commandTexts, bytes.Clone(text))
				}
			case "restartPolicy":
				container.IsSidecar = string(d.Bytes()) == "Always"
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
	for _, variable := range env.Variables {
		if isDatabaseVariable(variable.Name) && strings.Contains(variable.Value, "$(") {
			// Decode the variables that it may refer to.
			env.all = decodeVariables(d.DecoderAt(begin), true).Variables
			break
		}
	}
	return env
}

// decodeVariables decodes a list of variables. With all it keeps every variable, otherwise those of the view.
func decodeVariables(d *jsonview.Decoder, all bool) Env {
	var env Env
	for ok := d.Array(); ok && d.More(); {
		variable, isKept := env.decodeVariable(d, all)
		if isKept {
			env.Variables = append(env.Variables, variable)
		}
		env.Len++
	}
	return env
}

// decodeVariable decodes one variable. It reports whether to keep it.
func (e *Env) decodeVariable(d *jsonview.Decoder, all bool) (variable Variable, isKept bool) {
	variable.Index = e.Len
	hasName := false
	for ok := d.Object(); ok && d.More(); {
		switch string(d.Name()) {
		case "name":
			name := d.Bytes()
			if isKongSetting(name) {
				e.KongSettings++
			}
			e.HasController = e.HasController || bytes.HasPrefix(name, []byte("CONTROLLER_"))
			hasName = true
			if isKept = all || isViewed(string(name)); isKept {
				variable.Name = string(name)
			}
		case "value":
			// Skipping avoids an allocation for most variables.
			if hasName && !isKept {
				d.Skip()
			} else {
				variable.Value = d.String()
			}
		case "valueFrom":
			source := d.Raw()
			variable.HasValueFrom = !isNull(source)
			if all || !hasName || isDatabaseVariable(variable.Name) {
				variable.ValueFrom = describeValueFrom(source)
			}
		default:
			d.Skip()
		}
	}
	return variable, isKept
}

// describeValueFrom describes a valueFrom: "Secret/pg:host". For an unknown kind it returns the JSON.
func describeValueFrom(text []byte) string {
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

func decodeEnvFrom(d *jsonview.Decoder) []EnvFrom {
	var list []EnvFrom
	for ok := d.Array(); ok && d.More(); {
		from := EnvFrom{Origin: "elsewhere"} // for an unknown kind
		for ok := d.Object(); ok && d.More(); {
			switch string(d.Name()) {
			case "prefix":
				from.Prefix = d.String()
			case "configMapRef":
				from.setOrigin("ConfigMap", decodeName(d))
			case "secretRef":
				from.setOrigin("Secret", decodeName(d))
			default:
				d.Skip()
			}
		}
		list = append(list, from)
	}
	return list
}

// setOrigin sets the origin, unless the reference is null and has no name.
func (f *EnvFrom) setOrigin(kind, name string) {
	if name != "" {
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

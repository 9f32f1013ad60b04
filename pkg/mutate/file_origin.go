package mutate

import (
	"path"
	"strings"
)

// fileOrigin describes the file that a variable names: "Secret/pg:host" if the container mounts it from a Secret or
// ConfigMap, like a variable with valueFrom. Otherwise it has only the path.
func (p *Pod) fileOrigin(c *Container, variable *Variable) string {
	if variable.HasValueFrom {
		return "file in " + variable.ValueFrom
	}
	file := path.Clean(c.Env.expand(variable.Value, variable.Index).Text)
	at, length := -1, -1 // the mount with the longest path that contains the file
	for i := range c.VolumeMounts {
		mountPath := path.Clean(c.VolumeMounts[i].MountPath)
		contains := file == mountPath || strings.HasPrefix(file, strings.TrimSuffix(mountPath, "/")+"/")
		if contains && len(mountPath) > length {
			at, length = i, len(mountPath)
		}
	}
	if at < 0 {
		return "file " + file
	}
	mount := &c.VolumeMounts[at]
	inMount := strings.TrimPrefix(file, path.Clean(mount.MountPath))
	key := strings.TrimPrefix(path.Join(mount.SubPath, inMount), "/")
	for i := range p.Volumes {
		if p.Volumes[i].Name == mount.Name {
			if object := p.objectOf(&p.Volumes[i]); object != "" && mount.SubPathExpr == "" {
				return object + ":" + key
			}
		}
	}
	return "file " + file
}

// objectOf returns the Secret or ConfigMap whose keys are the files of a volume: "Secret/pg". It returns "" for other
// volumes, and for a volume that gives the keys other names.
func (p *Pod) objectOf(volume *Volume) string {
	member, kind := "", ""
	switch volume.Source {
	case "secret":
		member, kind = "secretName", "Secret/"
	case "configMap":
		member, kind = "name", "ConfigMap/"
	default:
		return ""
	}
	object := ""
	d := p.decoder.DecoderAt(volume.offset)
	for ok := d.Object(); ok && d.More(); {
		switch string(d.Name()) {
		case member:
			object = kind + d.String()
		case "items":
			return ""
		default:
			d.Skip()
		}
	}
	return object
}

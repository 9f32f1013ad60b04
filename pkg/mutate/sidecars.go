package mutate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/denial"
)

// Sidecars are the containers through which a Kong container reaches its database.
type Sidecars struct {
	// Names are sorted.
	Names []string
	// Hash identifies what they run: images without tags, commands, arguments and variables.
	Hash string
}

// SidecarsOf returns those of the named containers that run as long as the pod. It returns false if there are none.
func (p *Pod) SidecarsOf(names []string) (Sidecars, bool) {
	var sidecars Sidecars
	hash := sha256.New()
	found := map[string]target{}
	for candidate := range allContainers(*p) {
		if slices.Contains(names, candidate.container.Name) && candidate.runsWithPod() {
			found[candidate.container.Name] = candidate
			sidecars.Names = append(sidecars.Names, candidate.container.Name)
		}
	}
	slices.Sort(sidecars.Names)
	for _, name := range sidecars.Names {
		fmt.Fprintf(hash, "%q\n", p.program(found[name].container))
	}
	sidecars.Hash = hex.EncodeToString(hash.Sum(nil)[:4])
	return sidecars, len(sidecars.Names) > 0
}

// program returns what a container runs. The tag of the image does not matter: a new version of a proxy leads to the
// same database.
func (p *Pod) program(container *Container) []string {
	program := []string{repositoryOf(container.Image)}
	if p.decoder == nil {
		return program
	}
	d := p.decoder.DecoderAt(container.offset)
	for ok := d.Object(); ok && d.More(); {
		switch name := string(d.Name()); name {
		case "command", "args":
			program = append(program, name)
			for ok := d.Array(); ok && d.More(); {
				program = append(program, d.String())
			}
		case "env":
			program = append(program, name)
			for _, variable := range decodeVariables(d, true).Variables {
				program = append(program, variable.Name, variable.Value, variable.ValueFrom)
			}
		default:
			d.Skip()
		}
	}
	return program
}

// repositoryOf returns an image without its tag and digest.
func repositoryOf(image string) string {
	folder, name := "", image
	if slash := strings.LastIndexByte(image, '/'); slash >= 0 {
		folder, name = image[:slash+1], image[slash+1:]
	}
	if end := strings.IndexAny(name, ":@"); end >= 0 {
		name = name[:end]
	}
	return folder + name
}

// checkMigrationsWith denies names of containers that the Job of a migration cannot include.
func checkMigrationsWith(pod Pod, names []string, targets []target) denial.List {
	var denials denial.List
	for _, name := range names {
		hasName := func(t target) bool { return t.container.Name == name }
		exists := false
		for candidate := range allContainers(pod) {
			exists = exists || hasName(candidate)
		}
		switch {
		case !exists:
			denials = append(denials, denial.New(denial.UnknownContainer,
				"annotation %s: the pod has no container %s; use the names of its containers: %s",
				annotations.MigrationsWith, denial.Quote(name), containerNames(pod)))
		case slices.ContainsFunc(targets, hasName):
			denials = append(denials, denial.New(denial.UnknownContainer,
				"annotation %s: container %s runs Kong, and the Job runs it in any case; name only other containers",
				annotations.MigrationsWith, denial.Quote(name)))
		}
	}
	return denials
}

package verify

import (
	"path"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/migrate"
)

// Runtimes are the container runtimes for LocalCommand. They have the same flags.
func Runtimes() []string { return []string{"docker", "podman", "nerdctl"} }

// LocalCommand returns the command that runs Kong on the folder of a plugin with a container runtime. Kong has no
// network and a read-only root.
func LocalCommand(runtime, image, folder, plugin string) []string {
	command := []string{
		runtime, "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL",
		"--security-opt", "no-new-privileges", "--tmpfs", "/tmp", "--tmpfs", prefixPath + ":mode=1777",
		"--volume", folder + ":" + path.Join(annotations.PluginsFolder, plugin) + ":ro",
	}
	for _, setting := range append(settings(plugin), [2]string{"KONGDAO_RESULT", "/dev/null"}) {
		command = append(command, "--env", setting[0]+"="+setting[1])
	}
	return append(command, "--entrypoint", "/bin/sh", image, "-c", migrate.Script())
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerifyLocally runs a container runtime that answers as the script in the container does.
func TestVerifyLocally(t *testing.T) {
	for name, test := range map[string]struct {
		runtime string
		code    int
		want    string
	}{
		"loads": {"echo kongdao: done", 0, "Kong loads the plugin ("},
		"rejected": {
			"echo kongdao: unloadable; echo no handler; exit 16", 1, "Kong cannot load the plugin:\nno handler\n",
		},
		"no verdict":  {"echo kongdao: failed; echo bind failed; exit 13", 2, "error: bind failed"},
		"no image":    {"echo no such image; exit 125", 2, "error: no such image"},
		"no network":  {`case "$*" in *"--network none"*) echo kongdao: done ;; esac`, 0, "Kong loads the plugin ("},
		"the command": {`case "$*" in *":/opt/kong/plugins/dao-test:ro "*) echo kongdao: done ;; esac`, 0, "loads"},
	} {
		t.Run(name, func(t *testing.T) {
			bin := t.TempDir()
			script := "#!/bin/sh\n" + test.runtime + "\n"
			if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			stdout, stderr, code := invoke(t, "", "verify", fixture, "--image", "kong:3.9", "--local", "docker")
			if code != test.code || !strings.Contains(stdout+stderr, test.want) {
				t.Errorf("exit code %d, want %d: %q %q, want %q", code, test.code, stdout, stderr, test.want)
			}
		})
	}
}

// TestVerifyUsage checks what verify reports before it runs Kong.
func TestVerifyUsage(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no Kong":       {nil, "error: name the Kong to run: either --image kong:3.9, or --workload deployment/NAME\n"},
		"other runtime": {[]string{"--image", "x", "--local", "lxc"}, `error: --local is "lxc"; use docker, podman, nerdctl`},
		"no program":    {[]string{"--image", "x", "--local", "nerdctl"}, "error: run nerdctl: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PATH", t.TempDir())
			_, stderr, code := invoke(t, "", append([]string{"verify", fixture}, test.args...)...)
			if code != exitCannotCheck || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, %q; want %q", code, stderr, test.want)
			}
		})
	}
}

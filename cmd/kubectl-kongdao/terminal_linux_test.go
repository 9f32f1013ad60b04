package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"kongdao.io/kongdao/pkg/repair"
)

// terminal is a pseudo-terminal with 200 columns. The test writes to keyboard what a user types. The text on the screen
// comes from screen.
type terminal struct {
	*os.File // of the program
	keyboard *os.File
	screen   chan string
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	descriptor := int(master.Fd())
	if err := unix.IoctlSetPointerInt(descriptor, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(descriptor, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slave.Close() })
	opened := &terminal{slave, master, make(chan string, 100)}
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			count, err := master.Read(buffer)
			if err != nil {
				return
			}
			opened.screen <- string(buffer[:count])
		}
	}()
	return opened
}

// streams returns the terminal as the streams of a program.
func (t *terminal) streams() genericiooptions.IOStreams {
	return genericiooptions.IOStreams{In: t.File, Out: t.File, ErrOut: t.File}
}

// waitFor returns the text on the screen as soon as it contains a part.
func (t *terminal) waitFor(test *testing.T, shown *bytes.Buffer, part string) {
	test.Helper()
	deadline := time.After(time.Minute)
	for !strings.Contains(shown.String(), part) {
		select {
		case text := <-t.screen:
			shown.WriteString(text)
		case <-deadline:
			test.Fatalf("%q does not appear on the screen: %q", part, shown.String())
		}
	}
}

// compareScreen compares the text on the screen with a golden file. Escape sequences are visible in the file.
func compareScreen(t *testing.T, name, screen string) {
	t.Helper()
	visible := strings.NewReplacer("\r\n", "\n", "\x1b", "<ESC>").Replace(screen)
	compareGolden(t, filepath.Join("testdata", terminalGoldens, name+".txt"), visible, "screen")
}

// TestConfirmation answers the question before a change on a terminal.
func TestConfirmation(t *testing.T) {
	for name, test := range map[string]struct {
		typed   string
		cancels bool
		changed bool
	}{
		"yes": {typed: "y\n", changed: true}, "YES": {typed: "YES\n", changed: true}, "no": {typed: "n\n"},
		"enter": {typed: "\n"}, "end of input": {typed: "\x04"}, "interrupted": {cancels: true},
	} {
		t.Run(name, func(t *testing.T) {
			opened, shown := newTerminal(t), &bytes.Buffer{}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cluster := waitingCluster(t)
			a := &actor{streams: opened.streams(), client: cluster, namespace: "kong"}
			ended := make(chan error, 1)
			go func() { ended <- a.changeMigrations(ctx, []string{"running"}, repair.Retry) }()
			opened.waitFor(t, shown, "[y/N] ")
			if test.cancels {
				cancel()
			}
			if _, err := opened.keyboard.WriteString(test.typed); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; (err == nil) != test.changed || err != nil && !errors.Is(err, errNotConfirmed) {
				t.Errorf("the error is %v", err)
			}
			if test.changed {
				opened.waitFor(t, shown, "while pods require it\r\n")
			}
			_, err := readMigration(t.Context(), cluster, "kong", "running")
			if exists := err == nil; exists == test.changed {
				t.Errorf("the PluginMigration exists: %v", exists)
			}
			if name == "yes" {
				compareScreen(t, "confirmation", shown.String())
			}
		})
	}
}

// TestScreens records the screens of status --watch and wait.
func TestScreens(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	t.Run("watch", func(t *testing.T) {
		opened, shown := newTerminal(t), &bytes.Buffer{}
		cluster := recordedCluster(t, filepath.Join("testdata", statusGoldens, "problems.yaml"))
		ctx, stop := context.WithCancel(t.Context())
		command := &statusCommand{
			streams: opened.streams(), client: cluster, namespace: "kong", interval: 10 * time.Millisecond,
		}
		ended := make(chan error, 1)
		go func() { ended <- command.follow(ctx, []string{"statefulset/updating"}) }()
		opened.waitFor(t, shown, "use -o wide)\r\n")
		pod := corev1.Pod{}
		pod.Namespace, pod.Name = "kong", "updating-0"
		if err := cluster.Delete(ctx, &pod); err != nil {
			t.Fatal(err)
		}
		opened.waitFor(t, shown, "waits for copies of its plugins\r\n")
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		compareScreen(t, "watch", shown.String())
	})
	t.Run("wait", func(t *testing.T) {
		opened, shown := newTerminal(t), &bytes.Buffer{}
		cluster := waitingCluster(t)
		start := time.Unix(0, 0)
		w := &waiter{
			streams: opened.streams(), client: cluster, namespace: "kong", until: forFinished, timeout: time.Minute,
			now: func() time.Time { return start },
		}
		if err := w.run(t.Context(), "finished"); err != nil {
			t.Error(err)
		}
		opened.waitFor(t, shown, "Finished\r\n")
		compareScreen(t, "wait", shown.String())
	})
}

package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"kongdao.io/kongdao/test/wait"
)

// parentVariable is an environment variable. If it is set, this test program is the parent that gets killed. Its value
// is a directory.
const parentVariable = "PROCESS_TEST_PARENT_DIR"

// TestKilledParentLeavesNoProcess kills a process that has started another one. A test runner does the same with a test
// that hangs.
func TestKilledParentLeavesNoProcess(t *testing.T) {
	if dir := os.Getenv(parentVariable); dir != "" {
		runAsParent(t, dir)
	}
	parent := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledParentLeavesNoProcess$")
	parent.Env = append(os.Environ(), parentVariable+"="+t.TempDir())
	output, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the parent printed no process ID: %v", err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it returns an error, because the parent was killed
	wait.For(t, 10*time.Second, func(context.Context) error {
		if !hasEnded(pid) {
			return fmt.Errorf("process %d still runs after its parent was killed", pid)
		}
		return nil
	})
}

// runAsParent starts a child that runs for a long time, prints its process ID and waits.
func runAsParent(t *testing.T, dir string) {
	p, err := Start("/bin/sleep", []string{"600"}, filepath.Join(dir, "sleep.log"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(p.PID())
	<-p.Done()
}

// hasEnded reports whether a process has ended. It counts a zombie as ended, because some machines have no init process
// that removes zombies.
func hasEnded(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return errors.Is(err, os.ErrNotExist) || strings.Contains(string(status), "State:\tZ")
}

package process

import (
	"bufio"
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
)

// childVariable tells this test's program that it is the one to be killed.
const childVariable = "PROCESS_TEST_CHILD"

// TestAKilledTestLeavesNoProcess kills a process that had started another, as a test runner does with a test that hangs.
func TestAKilledTestLeavesNoProcess(t *testing.T) {
	if dir := os.Getenv(childVariable); dir != "" {
		beKilled(t, dir)
	}
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAKilledTestLeavesNoProcess$")
	self.Env = append(os.Environ(), childVariable+"="+t.TempDir())
	output, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the child said no process number: %v", err)
	}
	if err := self.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = self.Wait() // it says that it was killed
	for deadline := time.Now().Add(10 * time.Second); !gone(pid); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the killed process's own process %d is still there after 10s", pid)
		}
	}
}

// beKilled starts a process that lasts, says its number, and waits.
func beKilled(t *testing.T, dir string) {
	p, err := Start("/bin/sleep", []string{"600"}, filepath.Join(dir, "sleep.log"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(p.Pid())
	<-p.Done()
}

// gone says whether a process that is not our child has ended. Where nobody waits for orphans, it stays as a zombie.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return errors.Is(err, os.ErrNotExist) || strings.Contains(string(status), "State:\tZ")
}

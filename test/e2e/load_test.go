//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/fixtures"
)

// load is pods that are created without pause, to prove that whatever is done
// meanwhile, no admission fails.
type load struct {
	space
	began    time.Time
	admitted atomic.Int64
	// restarting is set while nobody may answer for the API server.
	restarting atomic.Bool
	stop       context.CancelFunc
	failed     chan error
}

// load begins. Nobody else may create pods in the space.
func (s space) load() *load {
	ctx, stop := context.WithCancel(s.t.Context())
	l := &load{space: s, began: time.Now(), stop: stop, failed: make(chan error, 1)}
	go func() {
		defer close(l.failed)
		for ctx.Err() == nil {
			// The last one is not broken off.
			err := s.create(context.WithoutCancel(ctx), true, true)
			switch {
			case err == nil:
				l.admitted.Add(1)
			case !l.restarting.Load() || errors.Is(err, errOther) || strings.Contains(err.Error(), "webhook"):
				l.failed <- fmt.Errorf("after %d admissions: %w", l.admitted.Load(), err)
				return
			default: // nobody answers, or somebody who is only just starting: no admission was tried
				time.Sleep(10 * time.Millisecond)
			}
		}
	}()
	return l
}

// restartAPIServer restarts it, by the command that knows how in this cluster,
// and says when admissions have resumed.
func (l *load) restartAPIServer() {
	l.t.Helper()
	if restartAPIServer == "" {
		l.t.Log("E2E_RESTART_API_SERVER names no command: the API server is not restarted")
		return
	}
	l.restarting.Store(true)
	began := time.Now()
	if out, err := exec.CommandContext(l.t.Context(), "/bin/sh", "-c", restartAPIServer).CombinedOutput(); err != nil {
		l.t.Fatalf("restart the API server: %v: %s", err, out)
	}
	back, before := time.Now(), l.admitted.Load()
	eventually(l.t, func() error {
		if l.admitted.Load() == before {
			return errors.New("nothing is admitted since the API server was restarted")
		}
		return nil
	})
	l.restarting.Store(false)
	l.t.Logf("the API server was back after %v, and admitted %v later", back.Sub(began).Round(100*time.Millisecond), time.Since(back).Round(10*time.Millisecond))
}

// end fails the test for an admission that failed.
func (l *load) end(through string) {
	l.t.Helper()
	l.stop()
	if err := <-l.failed; err != nil {
		l.t.Error(err)
	}
	l.t.Logf("%d admissions in %v, through %s", l.admitted.Load(), time.Since(l.began).Round(time.Second), through)
}

// errOther is that a pod was created otherwise than it should have been.
var errOther = errors.New("created otherwise")

// create makes a pod in a dry run, that asks for the plugin or not, and says where
// it is not as expected: injected or not.
func (s space) create(ctx context.Context, asks, injects bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	made := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.name, GenerateName: "load-"},
		Spec:       kong(s.t).Spec.Template.Spec,
	}
	if asks {
		made.Annotations = map[string]string{annotations.Plugins: fixtures.Plugin}
	}
	if err := admin.Create(ctx, made, client.DryRunAll); err != nil {
		return err
	}
	if injected := made.Labels[annotations.Injected] == "true"; injected != injects {
		return fmt.Errorf("%w: injected is %v, want %v", errOther, injected, injects)
	}
	return nil
}

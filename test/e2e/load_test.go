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

// load creates pods without pause, to check that no admission fails during other operations.
type load struct {
	space
	start    time.Time
	admitted atomic.Int64
	// restarting is true while the API server restarts.
	restarting atomic.Bool
	stop       context.CancelFunc
	failed     chan error
}

// load starts the load. The test must not create other pods in the namespace.
func (s space) load() *load {
	ctx, stop := context.WithCancel(s.t.Context())
	l := &load{space: s, start: time.Now(), stop: stop, failed: make(chan error, 1)}
	go func() {
		defer close(l.failed)
		for ctx.Err() == nil {
			// The end of the load must not cancel the last admission.
			err := s.create(context.WithoutCancel(ctx), true, true)
			switch {
			case err == nil:
				l.admitted.Add(1)
			case !l.restarting.Load() || errors.Is(err, errWrongInjection) || strings.Contains(err.Error(), "webhook"):
				l.failed <- fmt.Errorf("after %d admissions: %w", l.admitted.Load(), err)
				return
			default: // the API server does not answer yet
				time.Sleep(10 * time.Millisecond)
			}
		}
	}()
	return l
}

// restartAPIServer restarts the API server and waits until admissions succeed again.
func (l *load) restartAPIServer() {
	l.t.Helper()
	if restartAPIServer == "" {
		l.t.Log("E2E_RESTART_API_SERVER is not set; the API server is not restarted")
		return
	}
	l.restarting.Store(true)
	start := time.Now()
	command := exec.CommandContext(l.t.Context(), "/bin/sh", "-c", restartAPIServer)
	if out, err := command.CombinedOutput(); err != nil {
		l.t.Fatalf("restart the API server: %v: %s", err, out)
	}
	restarted, before := time.Now(), l.admitted.Load()
	eventually(l.t, func() error {
		if l.admitted.Load() == before {
			return errors.New("no pod was admitted since the restart of the API server")
		}
		return nil
	})
	l.restarting.Store(false)
	l.t.Logf("the API server restarted in %v, and the first admission succeeded %v later",
		restarted.Sub(start).Round(100*time.Millisecond), time.Since(restarted).Round(10*time.Millisecond))
}

// end stops the load. It fails the test if an admission failed.
func (l *load) end(during string) {
	l.t.Helper()
	l.stop()
	if err := <-l.failed; err != nil {
		l.t.Error(err)
	}
	l.t.Logf("%d admissions in %v, during %s", l.admitted.Load(), time.Since(l.start).Round(time.Second), during)
}

// errWrongInjection means that a pod was created, but with or without an injection contrary to the expectation.
var errWrongInjection = errors.New("wrong injection")

// create creates a pod in a dry run, with or without a request for the plugin. It returns an error if the pod is
// denied, or if the injection differs from the expectation.
func (s space) create(ctx context.Context, withRequest, wantInjected bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	made := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.name, GenerateName: "load-"},
		Spec:       kong(s.t).Spec.Template.Spec,
	}
	if withRequest {
		made.Annotations = map[string]string{annotations.Plugins: fixtures.Plugin}
	}
	if err := admin.Create(ctx, made, client.DryRunAll); err != nil {
		return err
	}
	if injected := made.Labels[annotations.Injected] == "true"; injected != wantInjected {
		return fmt.Errorf("%w: injected = %v; want %v", errWrongInjection, injected, wantInjected)
	}
	return nil
}

package api

import (
	"fmt"
	"testing"
	"time"

	"kongdao.io/kongdao/test/cluster"
)

// TestBurstOfPods checks that a burst of pods, as after the loss of a zone, is neither throttled nor denied. The
// default limit of client-go delays a burst like this by up to 25 s (fact W5).
func TestBurstOfPods(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	createDAOTest(t, ns)
	const pods, clients = 1000, 8
	start := time.Now()
	err := cluster.InParallel(clients, pods, func(i int) error {
		requesting := pod(ns, fmt.Sprintf("kong-%d", i), "dao-test")
		if err := webhook.Admin.Create(t.Context(), requesting); err != nil {
			return err
		}
		return checkInjected(requesting, "dao-test", "proxy")
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d pods from %d clients in %v", pods, clients, time.Since(start).Round(time.Millisecond))
}

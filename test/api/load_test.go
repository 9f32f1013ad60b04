package api

import (
	"fmt"
	"testing"
	"time"
)

// TestAThousandPods proves that a burst, as after the loss of a zone, is
// neither throttled nor denied (W5).
func TestAThousandPods(t *testing.T) {
	t.Parallel()
	ns := namespace(t)
	daoTest(t, ns)
	const pods, clients = 1000, 8
	began := time.Now()
	err := inParallel(clients, pods, func(i int) error {
		asks := pod(ns, fmt.Sprintf("kong-%d", i), "dao-test")
		if err := webhook.Admin.Create(t.Context(), asks); err != nil {
			return err
		}
		return checkInjected(asks, "dao-test", "proxy")
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d pods from %d clients in %v", pods, clients, time.Since(began).Round(time.Millisecond))
}

//go:build e2e

package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// testStoppedJob deletes a PluginMigration whose Job waits for Kong's lock. The Job's pod ends before its grace period
// does. Then the next Job migrates.
func testStoppedJob(t *testing.T) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release100(t))
	g := d.startGateway(gatewayOptions{plugins: "dao-test@1.0.0"})
	g.waitReady()
	s.waitPhase("dao-test@1.0.0", v1alpha1.PhaseFinished, "")
	d.mustSQL(`INSERT INTO locks (key, owner, ttl)
		VALUES ('migrations', 'other', (now() + interval '1 hour') AT TIME ZONE 'UTC')`)
	s.publish(release110(t))
	g.requestPlugins("dao-test@1.1.0")
	migration := s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseMigrating, "runs")
	hasLabel := annotations.Migration + "=" + migration.Name
	eventually(t, func() error {
		out, err := s.try("", "logs", "-l", hasLabel)
		if err == nil && !strings.Contains(out, "kong migrations up") {
			err = errors.New("the Job does not run kong migrations up")
		}
		return err
	})
	var pods corev1.PodList
	if err := admin.List(t.Context(), &pods, client.InNamespace(s.name),
		client.MatchingLabels{annotations.Migration: migration.Name}); err != nil {
		t.Fatal(err)
	}
	pod := &pods.Items[0]
	s.run("", "delete", "pluginmigration", migration.Name, "--wait=false")
	var killed time.Time
	eventually(t, func() error {
		err := admin.Get(t.Context(), client.ObjectKeyFromObject(pod), pod)
		if pod.DeletionTimestamp != nil {
			killed = pod.DeletionTimestamp.Time
		}
		if !apierrors.IsNotFound(err) {
			return errors.Join(errors.New("the pod of the Job exists"), err)
		}
		return nil
	})
	left := time.Until(killed)
	if killed.IsZero() || left < 0 {
		t.Errorf("the pod was killed at the end of its grace period; want it to stop before")
	}
	t.Logf("the pod ended %v before the end of its grace period", left.Round(time.Second))
	d.mustSQL(`DELETE FROM locks`)
	s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	g.waitReady()
}

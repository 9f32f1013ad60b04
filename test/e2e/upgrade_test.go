//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/fixtures"
)

// TestUpgrade upgrades the previous release, which has one process and one account, under load. No admission and no
// request to a gateway fails. The certificate, PluginMigrations, Jobs, copies and running pods stay as they are, and
// the new controller continues with them. The account of the webhook loses the permissions of the controllers.
func TestUpgrade(t *testing.T) {
	r := newRelease(t)
	mustHelm(t, "install", "kongdao", previousChart, "--set=image.tag="+tagOf(previousImage))
	r.waitReady()
	r.replacePodsSlowly()
	library, s, other := newSpace(t), newSpace(t), newSpace(t)
	library.publish(release110(t))
	other.apply(other.pack(fixtures.PluginFolder()))
	policy := s.policy("upgrade", `plugins: [{name: dao-test, version: 1.1.0}], library: `+library.name)
	g := s.startDatabase().startGateway(gatewayOptions{})
	g.waitReady()
	s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	g.configure()
	eventually(t, func() error { return g.insert(t.Context(), "first") })
	eventually(t, func() error { return other.create(t.Context(), true, true) })
	before := r.snapshot(s)

	admissions, requests := other.load(), g.traffic()
	r.chart = packedChart(t)
	r.upgrade()
	r.waitControllerLeads()
	requests.end("the upgrade")
	admissions.end("the upgrade")
	if diff := cmp.Diff(before, r.snapshot(s)); diff != "" {
		t.Errorf("the upgrade changed (-before +after)\n%s", diff)
	}
	r.wantNoRestarts()
	r.wantWebhookCannotWrite(s)

	library.publish(release120(t))
	policy.change(`{"plugins":[{"name":"dao-test","version":"1.2.0"}]}`)
	g.run("", "rollout", "restart", "deployment/"+g.name)
	g.waitReady()
	s.waitPhase("dao-test@1.2.0", v1alpha1.PhaseFinished, "")
	g.wantMigrations(t, "000_base_my_plugin,001_100_to_110,002_110_to_120", "")
	eventually(t, func() error { return g.insert(t.Context(), "last") })
	policy.remove()
	r.uninstall()
}

// snapshot returns what an upgrade must not change: the certificate, and the UIDs of objects in a namespace.
func (r release) snapshot(s space) map[string]string {
	r.t.Helper()
	var secret corev1.Secret
	err := admin.Get(r.t.Context(), client.ObjectKey{Namespace: system, Name: certificate}, &secret)
	if err != nil {
		r.t.Fatal(err)
	}
	found := map[string]string{"certificate": string(secret.Data["tls.crt"]), "CA": string(secret.Data["ca.crt"])}
	for request, migration := range s.migrations() {
		found["PluginMigration "+request] = fmt.Sprint(migration.UID, migration.Status.Phase)
	}
	var pods corev1.PodList
	var copies corev1.ConfigMapList
	if err := errors.Join(
		admin.List(r.t.Context(), &pods, client.InNamespace(s.name)),
		admin.List(r.t.Context(), &copies, client.InNamespace(s.name), client.HasLabels{annotations.CopyOf}),
	); err != nil {
		r.t.Fatal(err)
	}
	if len(copies.Items) == 0 {
		r.t.Error("the namespace has no copies")
	}
	for _, item := range copies.Items {
		found["copy "+item.Name] = string(item.UID)
	}
	// These include the pods of Jobs, so a second Job would be found.
	for _, pod := range pods.Items {
		restarts := int32(0)
		for _, container := range pod.Status.ContainerStatuses {
			restarts += container.RestartCount
		}
		found["pod "+pod.Name] = fmt.Sprint(pod.UID, " restarts: ", restarts)
	}
	return found
}

// replacePodsSlowly makes each new pod of the webhook wait before it replaces an old one. The old leader then exists
// longer than it needs to notice that it cannot renew its Lease.
func (r release) replacePodsSlowly() {
	r.t.Helper()
	r.run("patch", "deployment", "kongdao-webhook", "--patch", `{"spec":{"minReadySeconds":12}}`)
}

// waitControllerLeads waits until a replica of the controller holds the Lease.
func (r release) waitControllerLeads() {
	r.t.Helper()
	eventually(r.t, func() error {
		var lease coordinationv1.Lease
		err := admin.Get(r.t.Context(), client.ObjectKey{Namespace: system, Name: "kongdao-migrations"}, &lease)
		if err != nil {
			return err
		}
		holder := ""
		if lease.Spec.HolderIdentity != nil {
			holder = *lease.Spec.HolderIdentity
		}
		if !strings.HasPrefix(holder, "kongdao-controller-") {
			return fmt.Errorf("the holder of the Lease is %q; want a replica of the controller", holder)
		}
		return nil
	})
}

// wantNoRestarts checks that no container started twice. A leader that cannot renew its Lease exits without a drain.
func (r release) wantNoRestarts() {
	r.t.Helper()
	var events corev1.EventList
	err := admin.List(r.t.Context(), &events, client.InNamespace(system), client.MatchingFields{"reason": "Started"})
	if err != nil {
		r.t.Fatal(err)
	}
	starts := map[string]int32{}
	for _, event := range events.Items {
		starts[event.InvolvedObject.Name] += max(1, event.Count)
	}
	if len(starts) == 0 {
		r.t.Error("no pod has started")
	}
	for pod, count := range starts {
		if count > 1 {
			r.t.Errorf("the container of pod %q started %d times", pod, count)
		}
	}
}

// wantWebhookCannotWrite checks that the account of the previous release has lost the permissions of the controllers.
func (r release) wantWebhookCannotWrite(s space) {
	r.t.Helper()
	for _, attributes := range []authorizationv1.ResourceAttributes{
		{Verb: "create", Group: "batch", Resource: "jobs"}, {Verb: "patch", Resource: "pods"},
		{Verb: "create", Resource: "configmaps"},
	} {
		attributes.Namespace = s.name
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: webhookAccount, ResourceAttributes: &attributes,
		}}
		if err := admin.Create(r.t.Context(), review); err != nil {
			r.t.Fatal(err)
		}
		if review.Status.Allowed {
			r.t.Errorf("the webhook may %s %s", attributes.Verb, attributes.Resource)
		}
	}
}

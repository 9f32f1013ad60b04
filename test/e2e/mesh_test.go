//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/fixtures"
)

// meshManifest adds a container to pods with a label in a namespace, as the injector of a mesh does.
const meshManifest = `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: %[1]s}
spec:
  reinvocationPolicy: Never
  matchConstraints:
    objectSelector: {matchLabels: {mesh: enabled}}
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
  mutations:
    - patchType: JSONPatch
      jsonPatch:
        expression: >-
          [%[5]sJSONPatch{op: "add", path: "/spec/%[2]s/-", value: Object.spec.%[2]s{
            name: "mesh-proxy", image: "%[3]s", imagePullPolicy: "IfNotPresent", %[4]s
            command: ["/bin/sh", "-c", "trap 'exit 0' TERM; sleep 86400 & wait"],
            securityContext: Object.spec.%[2]s.securityContext{
              allowPrivilegeEscalation: false, capabilities: Object.spec.%[2]s.securityContext.capabilities{drop: ["ALL"]}
            }}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: %[1]s}
spec: {policyName: %[1]s}
`

// meshProbe is a pod to which the mesh adds its container.
const meshProbe = `
apiVersion: v1
kind: Pod
metadata: {name: probe, labels: {mesh: enabled}}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: probe
      image: %s
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// testMesh goes from the annotation to a pod that is ready, with a mesh that adds a container to the pod of the Job. An
// ordinary container runs forever, so the result of Kong's container counts, and the Job is deleted.
func testMesh(t *testing.T, isNative bool) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	field, restarts, before := "containers", "", ""
	if isNative { // the pods have no init containers
		field, restarts = "initContainers", `restartPolicy: "Always",`
		before = `JSONPatch{op: "add", path: "/spec/initContainers", value: []}, `
	}
	s.apply(fmt.Sprintf(meshManifest, s.name, field, postgresImage, restarts, before))
	t.Cleanup(func() {
		for _, kind := range []string{"mutatingadmissionpolicy", "mutatingadmissionpolicybinding"} {
			if _, err := kubectl(context.Background(), "", "delete", kind, s.name, "--ignore-not-found"); err != nil {
				t.Error(err)
			}
		}
	})
	// The API server uses a new policy after some time.
	probe := fmt.Sprintf(meshProbe, postgresImage)
	eventually(t, func() error {
		out, err := s.try(probe, "create", "--dry-run=server", "-f", "-", "-o", "jsonpath={.spec."+field+"[*].name}")
		if err == nil && !strings.Contains(out, "mesh-proxy") {
			err = errors.New("the mesh does not add its container")
		}
		return err
	})
	g := d.startGateway(gatewayOptions{plugins: fixtures.Plugin})
	migration := s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	g.waitReady()
	if migration.Status.Attempts != 1 {
		t.Errorf("there were %d Jobs; want one", migration.Status.Attempts)
	}
	d.wantMigrations(t, "000_base_my_plugin,001_100_to_110", "")
	jobs := func() []string {
		return strings.Fields(s.run("", "get", "jobs", "-l", annotations.Migration+"="+migration.Name, "-o", "name"))
	}
	if isNative {
		if got := jobs(); len(got) != 1 {
			t.Errorf("there are the Jobs %q; want one that has ended", got)
		}
		return
	}
	eventually(t, func() error {
		if got := jobs(); len(got) > 0 {
			return fmt.Errorf("there are the Jobs %q; want none, because the mesh's container never ends", got)
		}
		return nil
	})
}

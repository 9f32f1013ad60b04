//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/fixtures"
)

// startingPoint is the state of a database before kongdao migrates it.
type startingPoint struct {
	// commands lists the commands of "kong migrations" that create the state. Each has the release of the plugin that
	// Kong loads, or "" for none.
	commands []kongCommand
	// request is the release that the gateway requests, and executed are its migrations.
	request, executed string
	// reason describes the output of "kong migrations list" in this state.
	reason string
}

type kongCommand struct {
	request, command string
}

// startingPoints returns a database in each state that Kong distinguishes.
func startingPoints() map[string]startingPoint {
	const executed110 = "000_base_my_plugin,001_100_to_110"
	return map[string]startingPoint{
		"empty": {request: "dao-test@1.1.0", executed: executed110, reason: "list exits 3"},
		"new": {
			commands: []kongCommand{{"", "bootstrap"}},
			request:  "dao-test@1.1.0", executed: executed110, reason: "list exits 5, because the plugin is new",
		},
		"pending": {
			commands: []kongCommand{{"dao-test@1.0.0", "bootstrap"}, {"dao-test@1.1.0", "up"}},
			request:  "dao-test@1.1.0", executed: executed110, reason: "list exits 4",
		},
		"pending and new": {
			commands: []kongCommand{{"dao-test@1.0.0", "bootstrap"}, {"dao-test@1.1.0", "up"}},
			request:  "dao-test@1.2.0", executed: executed110 + ",002_110_to_120",
			reason: "list exits 4 for release 1.2.0, and up would exit 1",
		},
		"up to date": {
			commands: []kongCommand{{"dao-test@1.1.0", "bootstrap"}},
			request:  "dao-test@1.1.0", executed: executed110, reason: "list exits 0",
		},
	}
}

// testStartingPoint checks that a gateway starts from a state of its database, and that no migration is left.
func testStartingPoint(t *testing.T, start startingPoint) {
	s := newSpace(t)
	d := s.startDatabase()
	for _, release := range []files{release100(t), release110(t), release120(t)} {
		s.publish(release)
	}
	for i, step := range start.commands {
		s.runKong(fmt.Sprintf("before-%d", i), step.request, step.command)
	}
	g := d.startGateway(gatewayOptions{plugins: start.request})
	g.waitReady()
	s.waitPhase(start.request, v1alpha1.PhaseFinished, "")
	d.wantMigrations(t, start.executed, "")
	g.configure()
	eventually(t, func() error { return g.insert(t.Context(), "row") })
}

// kongJob is the manifest of a Job like the Jobs of Kong's chart.
const kongJob = `
apiVersion: batch/v1
kind: Job
metadata: {name: %[1]s}
spec:
  backoffLimit: 20
  template:
    metadata: {annotations: {%[2]s}}
    spec:
      restartPolicy: OnFailure
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: kong-migrations
          image: %[3]s
          imagePullPolicy: IfNotPresent
          args: [kong, migrations, %[4]s]
          env:
            - {name: KONG_DATABASE, value: postgres}
            - {name: KONG_PG_HOST, value: %[5]s}
            - {name: KONG_PG_USER, value: kong}
            - {name: KONG_PG_PASSWORD, valueFrom: {secretKeyRef: {name: postgres, key: password}}}
            - {name: KONG_PREFIX, value: /kong_prefix/}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: prefix, mountPath: /kong_prefix/}, {name: tmp, mountPath: /tmp}]
      volumes: [{name: prefix, emptyDir: {}}, {name: tmp, emptyDir: {}}]
`

// startKong starts a Job that runs "kong migrations COMMAND". Kong loads a release of the plugin, or with "" no plugin.
func (s space) startKong(name, request, command string) {
	s.t.Helper()
	annotation := "example.com/request: none"
	if request != "" {
		annotation = annotations.Plugins + ": " + request
	}
	host := s.run("", "get", "service", "postgres", "-o", "jsonpath={.spec.clusterIP}")
	s.apply(fmt.Sprintf(kongJob, name, annotation, kongImage, command, host))
}

// runKong is startKong, and waits until the Job is complete.
func (s space) runKong(name, request, command string) {
	s.t.Helper()
	s.startKong(name, request, command)
	s.run("", "wait", "job/"+name, "--for=condition=Complete", "--timeout="+waitTimeout.String())
}

// testChartJobs starts the chart's own Job together with the gateway, on an empty database, without and with the
// plugin.
func testChartJobs(t *testing.T) {
	for _, request := range []string{"", fixtures.Plugin} {
		s := newSpace(t)
		d := s.startDatabase()
		s.publish(release110(t))
		s.startKong("kong-init-migrations", request, "bootstrap")
		g := d.startGateway(gatewayOptions{plugins: fixtures.Plugin})
		g.waitReady()
		s.run("", "wait", "job/kong-init-migrations", "--for=condition=Complete", "--timeout="+waitTimeout.String())
		s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
		d.wantMigrations(t, "000_base_my_plugin,001_100_to_110", "")
		for _, step := range []string{"up", "finish"} { // the steps of an upgrade of the chart
			s.runKong("kong-"+step, request, step)
		}
	}
}

//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/fixtures"
)

// startingPoint is what a database is like before kongdao comes to it.
type startingPoint struct {
	// before are commands of "kong migrations", each with the plugin's release
	// that Kong has then, "" for none.
	before [][2]string
	// reason says which row of Kong's table it is.
	reason string
}

// startingPoints are the rows of Kong's table of states.
func startingPoints() map[string]startingPoint {
	return map[string]startingPoint{
		"empty":           {reason: "list exits 3"},
		"new":             {before: [][2]string{{"", "bootstrap"}}, reason: "Kong is there, and the plugin is not: list exits 5"},
		"pending":         {before: [][2]string{{"dao-test@1.0.0", "bootstrap"}, {"dao-test@1.1.0", "up"}}, reason: "list exits 4"},
		"pending and new": {before: [][2]string{{"dao-test@1.0.0", "bootstrap"}, {"dao-test@1.1.0", "up"}}, reason: "of 1.2.0: list exits 4, and up would exit 1"},
		"up to date":      {before: [][2]string{{"dao-test@1.1.0", "bootstrap"}}, reason: "list exits 0"},
	}
}

// startsFrom proves that a gateway comes to serve from a starting point, and that
// nothing is left undone.
func startsFrom(t *testing.T, start startingPoint) {
	s := newSpace(t)
	d := s.startDatabase()
	for _, release := range []files{release100(t), release110(t), release120(t)} {
		s.publish(release)
	}
	for i, step := range start.before {
		s.runKong(fmt.Sprintf("before-%d", i), step[0], step[1])
	}
	request, want := "dao-test@1.1.0", "000_base_my_plugin,001_100_to_110"
	if strings.Contains(start.reason, "1.2.0") {
		request, want = "dao-test@1.2.0", want+",002_110_to_120"
	}
	g := d.startGateway(gatewayOptions{plugins: request})
	g.serves()
	s.reaches(request, v1alpha1.PhaseFinished, "")
	d.wantMigrations(t, want, "")
	g.configure()
	eventually(t, func() error { return g.insert(t.Context(), "row") })
}

// kongJob is a Job like those of Kong's chart (K21).
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

// startKong starts a Job of "kong migrations COMMAND", whose Kong has a release
// of the plugin or, with "", none.
func (s space) startKong(name, request, command string) {
	s.t.Helper()
	asks := "example.com/asks: nothing"
	if request != "" {
		asks = annotations.Plugins + ": " + request
	}
	host := s.run("", "get", "service", "postgres", "-o", "jsonpath={.spec.clusterIP}")
	s.apply(fmt.Sprintf(kongJob, name, asks, kongImage, command, host))
}

// runKong is startKong that waits for its end.
func (s space) runKong(name, request, command string) {
	s.t.Helper()
	s.startKong(name, request, command)
	s.run("", "wait", "job/"+name, "--for=condition=Complete", "--timeout="+patience.String())
}

// besideTheChartsJobs has the chart's own job start with the gateway, on an empty
// database, without the plugin and with it.
func besideTheChartsJobs(t *testing.T) {
	for _, request := range []string{"", fixtures.Plugin} {
		s := newSpace(t)
		d := s.startDatabase()
		s.publish(release110(t))
		s.startKong("kong-init-migrations", request, "bootstrap")
		g := d.startGateway(gatewayOptions{plugins: fixtures.Plugin})
		g.serves()
		s.run("", "wait", "job/kong-init-migrations", "--for=condition=Complete", "--timeout="+patience.String())
		s.reaches("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
		d.wantMigrations(t, "000_base_my_plugin,001_100_to_110", "")
		for _, step := range []string{"up", "finish"} { // as an upgrade of the chart's runs them
			s.runKong("kong-"+step, request, step)
		}
	}
}

//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
)

// sidecarManifest is a gateway whose Kong reaches its database through a proxy in the same pod, and reads its password
// from a file that an init container writes. A client of Kong's Admin API comes before Kong.
const sidecarManifest = `
apiVersion: v1
kind: Service
metadata: {name: kong}
spec: {selector: {app: kong}, ports: [{name: proxy, port: 8000}, {name: admin, port: 8001}]}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: kong
  annotations: {kongdao.io/plugins: dao-test, kongdao.io/migrations-with: "write-password, pg-proxy"}
spec:
  progressDeadlineSeconds: 3600
  selector: {matchLabels: {app: kong}}
  template:
    metadata: {labels: {app: kong}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      initContainers:
        - name: write-password
          image: %[1]s
          imagePullPolicy: IfNotPresent
          command: [/bin/sh, -c, 'printf "%%s\n" "$PASSWORD" >/secrets/password']
          env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: postgres, key: password}}}]
          securityContext: &restricted
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: {drop: [ALL]}
          volumeMounts: [{name: secrets, mountPath: /secrets}]
        %[4]s
      containers:
        - name: exporter
          image: %[1]s
          imagePullPolicy: IfNotPresent
          command: [sleep, infinity]
          env: [{name: KONG_ADMIN_URL, value: "http://127.0.0.1:8001"}]
          securityContext: *restricted
        %[5]s
        - name: proxy
          image: %[2]s
          imagePullPolicy: IfNotPresent
          env:
            - {name: KONG_DATABASE, value: postgres}
            - {name: KONG_PG_HOST, value: 127.0.0.1}
            - {name: KONG_PG_PORT, value: "6432"}
            - {name: KONG_PG_USER, value: kong}
            - {name: KONG_PG_PASSWORD_FILE, value: /secrets/password}
            - {name: KONG_PREFIX, value: /kong_prefix/}
            - {name: KONG_ADMIN_LISTEN, value: "0.0.0.0:8001"}
            - {name: KONG_PROXY_LISTEN, value: "0.0.0.0:8000"}
            - {name: KONG_STATUS_LISTEN, value: "0.0.0.0:8100"}
            - {name: KONG_NGINX_WORKER_PROCESSES, value: "1"}
          readinessProbe: {httpGet: {path: /status/ready, port: 8100}, periodSeconds: 1}
          securityContext: *restricted
          volumeMounts:
            - {name: secrets, mountPath: /secrets}
            - {name: prefix, mountPath: /kong_prefix/}
            - {name: tmp, mountPath: /tmp}
      volumes: [{name: secrets, emptyDir: {}}, {name: prefix, emptyDir: {}}, {name: tmp, emptyDir: {}}]
`

// pgProxy is the container that forwards to the database. It starts slowly, as real ones do.
const pgProxy = `- name: pg-proxy
          image: %[1]s
          imagePullPolicy: IfNotPresent
          command: [/bin/sh, -c, 'sleep 3; exec socat TCP-LISTEN:6432,bind=127.0.0.1,fork,reuseaddr TCP:%[2]s:5432']
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          %[3]s`

// testSidecars goes from the annotation to a row in the table, with a database that only a sidecar reaches. The Job
// runs the sidecar too: as a native sidecar, so that the Job ends.
func testSidecars(t *testing.T, isNative bool) {
	s := newSpace(t)
	d := s.startDatabase()
	s.publish(release110(t))
	native, ordinary := "", fmt.Sprintf(pgProxy, postgresImage, d.host, "")
	if isNative {
		native, ordinary = fmt.Sprintf(pgProxy, postgresImage, d.host, "restartPolicy: Always"), ""
	}
	s.apply(fmt.Sprintf(sidecarManifest, postgresImage, kongImage, d.host, native, ordinary))
	g := gateway{d, "kong"}
	migration := s.waitPhase("dao-test@1.1.0", v1alpha1.PhaseFinished, "")
	if database := migration.Spec.Database.Description; !strings.HasPrefix(database, "pg-proxy-") {
		t.Errorf("the database is %q, want one that the sidecar identifies", database)
	}
	g.waitReady()
	g.configure()
	eventually(t, func() error { return g.insert(t.Context(), "through-a-sidecar") })
	if row := d.mustSQL(`SELECT mykey FROM my_plugin_table`); row != "through-a-sidecar" {
		t.Errorf("the table has the rows %q", row)
	}
	var jobs batchv1.JobList
	hasLabel := client.MatchingLabels{annotations.Migration: migration.Name}
	if err := admin.List(t.Context(), &jobs, client.InNamespace(s.name), hasLabel); err != nil {
		t.Fatal(err)
	}
	for i := range jobs.Items {
		spec := jobs.Items[i].Spec.Template.Spec
		if len(spec.InitContainers) != 2 || spec.InitContainers[1].RestartPolicy == nil || len(spec.Containers) != 1 {
			t.Errorf("Job %s has init containers %+v", jobs.Items[i].Name, spec.InitContainers)
		}
	}
}

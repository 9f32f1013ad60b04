//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// database is a PostgreSQL server in a namespace.
type database struct {
	space
	// host is the address of its Service. The cluster has no DNS.
	host string
}

// password is the password of the database user, in the Secret "postgres".
const password = "not-a-secret"

// startDatabase starts an empty PostgreSQL server and waits until it is ready.
func (s space) startDatabase() database {
	s.t.Helper()
	s.apply(fmt.Sprintf(`
apiVersion: v1
kind: Secret
metadata: {name: postgres}
stringData: {password: %[1]s}
---
apiVersion: v1
kind: Service
metadata: {name: postgres}
spec: {selector: {app: postgres}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: postgres}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector: {matchLabels: {app: postgres}}
  template:
    metadata: {labels: {app: postgres}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 999, fsGroup: 999, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: postgres
          image: %[2]s
          imagePullPolicy: IfNotPresent
          env:
            - {name: POSTGRES_USER, value: kong}
            - {name: POSTGRES_DB, value: kong}
            - {name: POSTGRES_PASSWORD, valueFrom: {secretKeyRef: {name: postgres, key: password}}}
            - {name: PGDATA, value: /data/pgdata}
          readinessProbe: {exec: {command: [pg_isready, -h, 127.0.0.1, -U, kong]}, periodSeconds: 1}
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, emptyDir: {}}]
`, password, postgresImage))
	d := database{s, s.run("", "get", "service", "postgres", "-o", "jsonpath={.spec.clusterIP}")}
	d.waitReady()
	return d
}

func (d database) waitReady() {
	d.t.Helper()
	d.run("", "rollout", "status", "deployment/postgres", "--timeout="+waitTimeout.String())
}

// sql returns the rows of a statement, one per line, with columns separated by "|".
func (d database) sql(statement string) (string, error) {
	out, err := d.try("", "exec", "deployment/postgres", "--", "env", "PGPASSWORD="+password,
		"psql", "-h", "127.0.0.1", "-U", "kong", "-d", "kong", "-AtXq", "-v", "ON_ERROR_STOP=1", "-c", statement)
	return strings.TrimSpace(out), err
}

// mustSQL is sql, and fails the test on an error.
func (d database) mustSQL(statement string) string {
	d.t.Helper()
	rows, err := d.sql(statement)
	if err != nil {
		d.t.Fatal(err)
	}
	return rows
}

// wantMigrations checks the executed and the pending migrations of the plugin in schema_meta, separated by commas.
func (d database) wantMigrations(t *testing.T, executed, pending string) {
	t.Helper()
	got := d.mustSQL(`SELECT array_to_string(executed, ','), array_to_string(pending, ',')
		FROM schema_meta WHERE subsystem = 'dao-test'`)
	if want := executed + "|" + pending; got != want {
		t.Errorf("the database has the migrations %q; want %q", got, want)
	}
}

//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/fixtures"
)

// gateway is a Deployment of Kong like that of Kong's chart, with a database.
type gateway struct {
	database
	name string
}

// gatewayManifest is the Deployment, with its Service. variables and mounts are
// further lines of the containers that run Kong.
const gatewayManifest = `
apiVersion: v1
kind: Service
metadata: {name: %[1]s}
spec: {selector: {app: %[1]s}, ports: [{name: proxy, port: 8000}, {name: admin, port: 8001}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, annotations: {%[2]s}}
spec:
  replicas: 1
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  progressDeadlineSeconds: 3600
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      terminationGracePeriodSeconds: 30
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      initContainers:
        - &kong
          name: wait-for-db
          image: %[3]s
          imagePullPolicy: IfNotPresent
          command: [/bin/bash, -c, "export KONG_NGINX_DAEMON=on KONG_PREFIX=$(mktemp -d); until kong start; do echo waiting for db; sleep 1; done; kong stop"]
          env:
            - {name: KONG_DATABASE, value: postgres}
            - {name: KONG_PG_HOST, value: %[4]s}
            - {name: KONG_PG_USER, value: kong}
            - {name: KONG_PG_PASSWORD, valueFrom: {secretKeyRef: {name: postgres, key: password}}}
            - {name: KONG_PREFIX, value: /kong_prefix/}
            - {name: KONG_ADMIN_LISTEN, value: "0.0.0.0:8001"}
            - {name: KONG_PROXY_LISTEN, value: "0.0.0.0:8000"}
            - {name: KONG_STATUS_LISTEN, value: "0.0.0.0:8100"}
            - {name: KONG_NGINX_WORKER_PROCESSES, value: "1"}
            %[5]s
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          volumeMounts: [{name: prefix, mountPath: /kong_prefix/}, {name: tmp, mountPath: /tmp}%[6]s]
      containers:
        - <<: *kong
          name: proxy
          command: null
          readinessProbe: {httpGet: {path: /status/ready, port: 8100}, periodSeconds: 1}
          lifecycle: {preStop: {exec: {command: [kong, quit, --wait=5]}}}
      volumes: [{name: prefix, emptyDir: {}}, {name: tmp, emptyDir: {}}%[7]s]
`

// gatewayOptions are what differs from one gateway to another. One without
// plugins asks for nothing.
type gatewayOptions struct {
	name, plugins string
	// annotations, variables, mounts and volumes are further ones, as YAML in one line.
	annotations, variables, mounts, volumes string
}

// startGateway applies the Deployment, and waits for nothing.
func (d database) startGateway(options gatewayOptions) gateway {
	d.t.Helper()
	if options.name == "" {
		options.name = "kong"
	}
	if options.variables == "" {
		options.variables = `- {name: KONG_LOG_LEVEL, value: notice}`
	}
	asks := "example.com/asks: nothing"
	if options.plugins != "" {
		asks = annotations.Plugins + ": " + options.plugins
	}
	d.apply(fmt.Sprintf(gatewayManifest, options.name, asks+options.annotations, kongImage, d.host, options.variables, options.mounts, options.volumes))
	return gateway{d, options.name}
}

// ask has the workload ask for a release.
func (g gateway) ask(plugins string) {
	g.t.Helper()
	g.run("", "annotate", "--overwrite", "deployment", g.name, annotations.Plugins+"="+plugins)
}

func (g gateway) serves() {
	g.t.Helper()
	g.rolled(g.name)
}

// pods are the gateway's, by name.
func (g gateway) pods() []corev1.Pod {
	g.t.Helper()
	var pods corev1.PodList
	if err := admin.List(g.t.Context(), &pods, client.InNamespace(g.space.name), client.MatchingLabels{"app": g.name}); err != nil {
		g.t.Fatal(err)
	}
	return pods.Items
}

// waiting are the names of pods that have our gate.
func (g gateway) waiting() []string {
	g.t.Helper()
	var names []string
	for _, pod := range g.pods() {
		for _, gate := range pod.Spec.SchedulingGates {
			if gate.Name == annotations.MigrationsGate {
				names = append(names, pod.Name)
			}
		}
	}
	return names
}

// scale changes the number of pods.
func (g gateway) scale(replicas int) {
	g.t.Helper()
	g.run("", "scale", "deployment/"+g.name, fmt.Sprintf("--replicas=%d", replicas))
}

// request asks the gateway, through the API server, at a port of its Service.
func (g gateway) request(ctx context.Context, method, port, path, body string, headers map[string]string) (int, http.Header, string, error) {
	url := fmt.Sprintf("%s/api/v1/namespaces/%s/services/%s:%s/proxy%s", adminURL, g.space.name, g.name, port, path)
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, "", err
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := adminHTTP.Do(request)
	if err != nil {
		return 0, nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, string(text), err
}

// configure makes a service, a route and the plugin, through the Admin API
// (K24). What is proxied to is the gateway's own Admin API.
func (g gateway) configure() {
	g.t.Helper()
	for _, object := range []struct{ path, body string }{
		{"/services", `{"name":"self","url":"http://127.0.0.1:8001/"}`},
		{"/services/self/routes", `{"name":"all","paths":["/"]}`},
		{"/services/self/plugins", `{"name":"` + fixtures.Plugin + `"}`},
	} {
		eventually(g.t, func() error {
			status, _, body, err := g.request(g.t.Context(), http.MethodPost, "admin", object.path, object.body, nil)
			if err == nil && status != http.StatusCreated && status != http.StatusConflict {
				err = fmt.Errorf("POST %s answered %d: %s", object.path, status, body)
			}
			return err
		})
	}
}

// insert sends a request that the plugin answers with a new row of the database.
func (g gateway) insert(ctx context.Context, key string) error {
	status, headers, body, err := g.request(ctx, http.MethodGet, "proxy", "/", "", map[string]string{"mykey-add": key})
	switch {
	case err != nil:
		return err
	case status != http.StatusOK || !strings.HasPrefix(headers.Get("X-Dao-Test"), "inserted:"):
		return fmt.Errorf("answered %d, X-Dao-Test %q: %.300s", status, headers.Get("X-Dao-Test"), body)
	}
	return nil
}

// traffic is requests without pause, each of which makes a row.
type traffic struct {
	gateway
	sent   atomic.Int64
	stop   context.CancelFunc
	failed chan error
	began  time.Time
}

func (g gateway) traffic() *traffic {
	ctx, stop := context.WithCancel(g.t.Context())
	flow := &traffic{gateway: g, stop: stop, failed: make(chan error, 1), began: time.Now()}
	go func() {
		defer close(flow.failed)
		for ctx.Err() == nil {
			if err := g.insert(context.WithoutCancel(ctx), fmt.Sprintf("traffic-%d", flow.sent.Load())); err != nil {
				flow.failed <- fmt.Errorf("after %d requests: %w", flow.sent.Load(), err)
				return
			}
			flow.sent.Add(1)
		}
	}()
	return flow
}

// end fails the test for a request that failed, and for a row that is not there.
func (f *traffic) end(through string) {
	f.t.Helper()
	f.stop()
	if err := <-f.failed; err != nil {
		f.t.Error(err)
	}
	rows := f.mustSQL(`SELECT count(*) FROM my_plugin_table WHERE mykey LIKE 'traffic-%'`)
	if rows != fmt.Sprint(f.sent.Load()) {
		f.t.Errorf("%s rows of %d requests", rows, f.sent.Load())
	}
	f.t.Logf("%d requests in %v, through %s", f.sent.Load(), time.Since(f.began).Round(time.Second), through)
}

// records are the space's PluginMigrations, by their request.
func (s space) records() map[string]v1alpha1.PluginMigration {
	s.t.Helper()
	var list v1alpha1.PluginMigrationList
	if err := admin.List(s.t.Context(), &list, client.InNamespace(s.name)); err != nil {
		s.t.Fatal(err)
	}
	found := map[string]v1alpha1.PluginMigration{}
	for _, record := range list.Items {
		found[record.Spec.Request] = record
	}
	return found
}

// reaches waits until the PluginMigration of a request is in a phase, with a
// message that has a part, and yields it.
func (s space) reaches(request string, phase v1alpha1.Phase, message string) v1alpha1.PluginMigration {
	s.t.Helper()
	var found v1alpha1.PluginMigration
	eventually(s.t, func() error {
		record, there := s.records()[request]
		if !there {
			return errors.New("there is no PluginMigration for " + request)
		}
		if record.Status.Phase != phase || !strings.Contains(record.Status.Message, message) {
			return fmt.Errorf("PluginMigration %s is %s: %q, want %s: %q", record.Name, record.Status.Phase, record.Status.Message, phase, message)
		}
		found = record
		return nil
	})
	return found
}

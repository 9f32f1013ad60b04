//go:build e2e

package e2e

import (
	"cmp"
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

// gateway is a Deployment of Kong with a database, like the one of Kong's chart.
type gateway struct {
	database
	name string
}

// gatewayManifest is the manifest of the Deployment and its Service.
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
          command:
            - /bin/bash
            - -c
            - >-
              export KONG_NGINX_DAEMON=on KONG_PREFIX=$(mktemp -d);
              until kong start; do echo waiting for db; sleep 1; done; kong stop
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

// gatewayOptions are the options of a gateway. Without plugins, the gateway requests nothing.
type gatewayOptions struct {
	name, plugins string
	// image is that of Kong by default.
	image string
	// annotations, variables, mounts and volumes are added to the manifest, as YAML in one line.
	annotations, variables, mounts, volumes string
}

// startGateway applies the manifest. It does not wait.
func (d database) startGateway(options gatewayOptions) gateway {
	d.t.Helper()
	if options.name == "" {
		options.name = "kong"
	}
	if options.variables == "" {
		options.variables = `- {name: KONG_LOG_LEVEL, value: notice}`
	}
	request := "example.com/request: none"
	if options.plugins != "" {
		request = annotations.Plugins + ": " + options.plugins
	}
	d.apply(fmt.Sprintf(gatewayManifest, options.name, request+options.annotations,
		cmp.Or(options.image, kongImage), d.host,
		options.variables, options.mounts, options.volumes))
	return gateway{d, options.name}
}

// requestPlugins sets the annotation of the Deployment.
func (g gateway) requestPlugins(plugins string) {
	g.t.Helper()
	g.run("", "annotate", "--overwrite", "deployment", g.name, annotations.Plugins+"="+plugins)
}

// waitReady waits until all pods of the Deployment are ready.
func (g gateway) waitReady() {
	g.t.Helper()
	g.waitRollout(g.name)
}

// pods returns the pods of the gateway, sorted by name.
func (g gateway) pods() []corev1.Pod {
	g.t.Helper()
	var pods corev1.PodList
	err := admin.List(g.t.Context(), &pods, client.InNamespace(g.space.name), client.MatchingLabels{"app": g.name})
	if err != nil {
		g.t.Fatal(err)
	}
	return pods.Items
}

// gatedPods returns the names of the pods with the scheduling gate for migrations.
func (g gateway) gatedPods() []string {
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

// scale changes the number of replicas.
func (g gateway) scale(replicas int) {
	g.t.Helper()
	g.run("", "scale", "deployment/"+g.name, fmt.Sprintf("--replicas=%d", replicas))
}

// request sends a request to a port of the gateway's Service, through the API server.
func (g gateway) request(
	ctx context.Context, method, port, path, body string, headers map[string]string,
) (int, http.Header, string, error) {
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

// configure creates a service, a route and the plugin with the Admin API. The service is the gateway's own Admin API.
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
				err = fmt.Errorf("POST %s: status %d: %s", object.path, status, body)
			}
			return err
		})
	}
}

// insert sends a request for which the plugin inserts a row.
func (g gateway) insert(ctx context.Context, key string) error {
	status, headers, body, err := g.request(ctx, http.MethodGet, "proxy", "/", "", map[string]string{"mykey-add": key})
	switch {
	case err != nil:
		return err
	case status != http.StatusOK || !strings.HasPrefix(headers.Get("X-Dao-Test"), "inserted:"):
		return fmt.Errorf("status %d, X-Dao-Test %q: %.300s", status, headers.Get("X-Dao-Test"), body)
	}
	return nil
}

// traffic sends requests without pause. Each request inserts a row.
type traffic struct {
	gateway
	sent   atomic.Int64
	stop   context.CancelFunc
	failed chan error
	start  time.Time
}

func (g gateway) traffic() *traffic {
	ctx, stop := context.WithCancel(g.t.Context())
	flow := &traffic{gateway: g, stop: stop, failed: make(chan error, 1), start: time.Now()}
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

// end stops the traffic. It fails the test if a request failed or a row is missing.
func (f *traffic) end(during string) {
	f.t.Helper()
	f.stop()
	if err := <-f.failed; err != nil {
		f.t.Error(err)
	}
	rows := f.mustSQL(`SELECT count(*) FROM my_plugin_table WHERE mykey LIKE 'traffic-%'`)
	if rows != fmt.Sprint(f.sent.Load()) {
		f.t.Errorf("the table has %s rows after %d requests", rows, f.sent.Load())
	}
	f.t.Logf("%d requests in %v, during %s", f.sent.Load(), time.Since(f.start).Round(time.Second), during)
}

// migrations returns the PluginMigrations of the namespace, by request.
func (s space) migrations() map[string]v1alpha1.PluginMigration {
	s.t.Helper()
	var list v1alpha1.PluginMigrationList
	if err := admin.List(s.t.Context(), &list, client.InNamespace(s.name)); err != nil {
		s.t.Fatal(err)
	}
	found := map[string]v1alpha1.PluginMigration{}
	for _, migration := range list.Items {
		found[migration.Spec.Request] = migration
	}
	return found
}

// waitPhase waits until the PluginMigration of a request has a phase and a message that contains a text.
func (s space) waitPhase(request string, phase v1alpha1.Phase, message string) v1alpha1.PluginMigration {
	s.t.Helper()
	var found v1alpha1.PluginMigration
	eventually(s.t, func() error {
		migration, exists := s.migrations()[request]
		if !exists {
			return errors.New("there is no PluginMigration for " + request)
		}
		status := migration.Status
		if status.Phase != phase || !strings.Contains(status.Message, message) {
			return fmt.Errorf("PluginMigration %s has phase %s and message %q; want %s and %q",
				migration.Name, status.Phase, status.Message, phase, message)
		}
		found = migration
		return nil
	})
	return found
}

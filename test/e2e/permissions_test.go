//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The service accounts of the chart's pods.
const (
	webhookAccount    = "system:serviceaccount:" + system + ":kongdao-webhook"
	controllerAccount = "system:serviceaccount:" + system + ":kongdao-controller"
)

// permission allows an account one verb on one resource. The name is "" for all objects.
type permission struct{ account, namespace, verb, resource, name string }

// auditEvent is a line of the audit log: a part of the Event in audit.k8s.io/v1.
type auditEvent struct {
	Verb, RequestURI string
	User             struct{ Username string }
	ObjectRef        *struct{ Namespace, Name, APIGroup, Resource, Subresource string }
	ResponseStatus   struct{ Code int }
	Annotations      map[string]string
}

// auditSize returns the current size of the API server's audit log.
func auditSize(t *testing.T) int64 {
	t.Helper()
	if auditLog == "" {
		return 0
	}
	info, err := os.Stat(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// wantPermissionsUsed checks the audit log since the installation. Each service account must have used each of its
// permissions in the selected roles, and the API server must have allowed each of their requests.
func (r release) wantPermissionsUsed(isSelected func(role string) bool) {
	r.t.Helper()
	if auditLog == "" {
		r.t.Log("E2E_AUDIT_LOG is not set; the use of permissions is not checked")
		return
	}
	granted := r.granted(isSelected)
	eventually(r.t, func() error {
		events := r.auditEvents()
		var unused []error
		for _, permission := range granted {
			if !slices.ContainsFunc(events, permission.covers) {
				unused = append(unused, fmt.Errorf("the permission %+v was not used", permission))
			}
		}
		return errors.Join(unused...)
	})
	events := r.auditEvents()
	for _, event := range events {
		if event.Annotations["authorization.k8s.io/decision"] != "allow" {
			r.t.Errorf("%s: %s %s: %s", event.User.Username, event.Verb, event.RequestURI,
				event.Annotations["authorization.k8s.io/reason"])
		}
	}
	r.t.Logf("all %d permissions were used, in %d requests", len(granted), len(events))
}

// forMigrations, forPolicies and always select the roles for migrations, for policies, and all other roles. The
// controller writes Events about migrations.
func forMigrations(role string) bool {
	return strings.Contains(role, "-migrations") || strings.Contains(role, "-rollouts") || role == "kongdao-controller"
}

func forPolicies(role string) bool { return strings.Contains(role, "-policies") }

func always(role string) bool { return !forMigrations(role) && !forPolicies(role) }

// isForUsers reports whether Kubernetes adds the rules of a ClusterRole to those of users.
func isForUsers(labels map[string]string) bool {
	for label := range labels {
		if strings.HasPrefix(label, "rbac.authorization.k8s.io/aggregate-to-") {
			return true
		}
	}
	return false
}

// granted returns the permissions of kongdao in the selected Roles and ClusterRoles, one by one.
func (r release) granted(isSelected func(role string) bool) []permission {
	r.t.Helper()
	labels := client.MatchingLabels{"app.kubernetes.io/instance": "kongdao"}
	var clusterRoles rbacv1.ClusterRoleList
	var roles rbacv1.RoleList
	if err := errors.Join(
		admin.List(r.t.Context(), &clusterRoles, labels), admin.List(r.t.Context(), &roles, labels),
	); err != nil {
		r.t.Fatal(err)
	}
	var all []permission
	add := func(role, namespace string, rules []rbacv1.PolicyRule) {
		account := webhookAccount
		if strings.HasPrefix(role, "kongdao-controller") {
			account = controllerAccount
		}
		for _, rule := range rules {
			names := rule.ResourceNames
			if len(names) == 0 {
				names = []string{""}
			}
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					for _, name := range names {
						all = append(all, permission{account, namespace, verb, rule.APIGroups[0] + "/" + resource, name})
					}
				}
			}
		}
	}
	for _, role := range clusterRoles.Items {
		if isSelected(role.Name) && !isForUsers(role.Labels) {
			add(role.Name, "", role.Rules)
		}
	}
	for _, role := range roles.Items {
		if isSelected(role.Name) {
			add(role.Name, role.Namespace, role.Rules)
		}
	}
	if len(all) == 0 {
		r.t.Fatal("the release has no roles")
	}
	return all
}

// covers reports whether a request used the permission. A watch with the initial events counts as a list, because an
// API server without this feature needs the list. A server-side apply that creates an object also needs the permission
// to create it.
func (p permission) covers(event auditEvent) bool {
	object := event.ObjectRef
	lists := p.verb == "list" && event.Verb == "watch" && strings.Contains(event.RequestURI, "sendInitialEvents=true")
	creates := p.verb == "create" && event.Verb == "patch" && event.ResponseStatus.Code == http.StatusCreated
	resource := strings.TrimSuffix(object.APIGroup+"/"+object.Resource+"/"+object.Subresource, "/")
	return event.User.Username == p.account &&
		(event.Verb == p.verb || lists || creates) && resource == p.resource &&
		(p.namespace == "" || object.Namespace == p.namespace) && (p.name == "" || object.Name == p.name)
}

// auditEvents returns the requests of the service accounts since the installation.
func (r release) auditEvents() []auditEvent {
	r.t.Helper()
	log, err := os.Open(auditLog)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.Seek(r.auditOffset, io.SeekStart); err != nil {
		r.t.Fatal(err)
	}
	text, err := io.ReadAll(log)
	if err != nil {
		r.t.Fatal(err)
	}
	var events []auditEvent
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "\n") {
			break // the API server is writing this line
		}
		var event auditEvent
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			r.t.Fatalf("parse a line of the audit log: %v: %s", err, line)
		}
		isOurs := event.User.Username == webhookAccount || event.User.Username == controllerAccount
		if isOurs && event.ObjectRef != nil {
			events = append(events, event)
		}
	}
	return events
}

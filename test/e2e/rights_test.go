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

// account is whom the chart's pods come as.
const account = "system:serviceaccount:" + system + ":kongdao-webhook"

// right is one verb on one kind of objects; of one name, or "" for any.
type right struct{ namespace, verb, resource, name string }

// request is a line of the audit log: a part of audit.k8s.io/v1's Event.
type request struct {
	Verb, RequestURI string
	User             struct{ Username string }
	ObjectRef        *struct{ Namespace, Name, APIGroup, Resource, Subresource string }
	ResponseStatus   struct{ Code int }
	Annotations      map[string]string
}

// auditSize is how long the API server's audit log is now.
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

// wantRightsUsed proves, by the API server's own audit log since the
// installation, that each right of the release's roles whose names isMeant takes
// was used by its service account, and that it asked for nothing which is not
// granted.
func (r release) wantRightsUsed(isMeant func(role string) bool) {
	r.t.Helper()
	if auditLog == "" {
		r.t.Log("E2E_AUDIT_LOG names no file: that each right is used is not looked at")
		return
	}
	granted := r.granted(isMeant)
	eventually(r.t, func() error {
		events := r.asked()
		var unused []error
		for _, right := range granted {
			if !slices.ContainsFunc(events, right.covers) {
				unused = append(unused, fmt.Errorf("nobody has used the right %+v", right))
			}
		}
		return errors.Join(unused...)
	})
	events := r.asked()
	for _, event := range events {
		if event.Annotations["authorization.k8s.io/decision"] != "allow" {
			r.t.Errorf("%s %s: %s", event.Verb, event.RequestURI, event.Annotations["authorization.k8s.io/reason"])
		}
	}
	r.t.Logf("%d rights, each used in %d requests", len(granted), len(events))
}

// ofMigrations and ofPolicies tell the roles that are used where a database is
// migrated, and where policies are followed, from those that always are.
func ofMigrations(role string) bool { return strings.Contains(role, "-migrations") }

func ofPolicies(role string) bool { return strings.Contains(role, "-policies") }

func always(role string) bool { return !ofMigrations(role) && !ofPolicies(role) }

// granted are the rights of the release's Roles and ClusterRoles, one by one.
func (r release) granted(isMeant func(role string) bool) []right {
	r.t.Helper()
	ours := client.MatchingLabels{"app.kubernetes.io/instance": "kongdao"}
	var clusterRoles rbacv1.ClusterRoleList
	var roles rbacv1.RoleList
	if err := errors.Join(admin.List(r.t.Context(), &clusterRoles, ours), admin.List(r.t.Context(), &roles, ours)); err != nil {
		r.t.Fatal(err)
	}
	var all []right
	add := func(namespace string, rules []rbacv1.PolicyRule) {
		for _, rule := range rules {
			names := rule.ResourceNames
			if len(names) == 0 {
				names = []string{""}
			}
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					for _, name := range names {
						all = append(all, right{namespace, verb, rule.APIGroups[0] + "/" + resource, name})
					}
				}
			}
		}
	}
	for _, role := range clusterRoles.Items {
		if isMeant(role.Name) {
			add("", role.Rules)
		}
	}
	for _, role := range roles.Items {
		if isMeant(role.Name) {
			add(role.Namespace, role.Rules)
		}
	}
	if len(all) == 0 {
		r.t.Fatal("the release has no roles")
	}
	return all
}

// covers reports whether a request was made by the right. An API server that can
// begins a watch with what a list would have given; for the others the right to
// list is needed, and no request here shows it. A server-side apply that makes
// an object needs the right to create it beside that to patch it.
func (r right) covers(asked request) bool {
	object := asked.ObjectRef
	lists := r.verb == "list" && asked.Verb == "watch" && strings.Contains(asked.RequestURI, "sendInitialEvents=true")
	creates := r.verb == "create" && asked.Verb == "patch" && asked.ResponseStatus.Code == http.StatusCreated
	resource := strings.TrimSuffix(object.APIGroup+"/"+object.Resource+"/"+object.Subresource, "/")
	return (asked.Verb == r.verb || lists || creates) && resource == r.resource &&
		(r.namespace == "" || object.Namespace == r.namespace) && (r.name == "" || object.Name == r.name)
}

// asked are the requests for objects that the release's service account has made.
func (r release) asked() []request {
	r.t.Helper()
	log, err := os.Open(auditLog)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.Seek(r.audited, io.SeekStart); err != nil {
		r.t.Fatal(err)
	}
	text, err := io.ReadAll(log)
	if err != nil {
		r.t.Fatal(err)
	}
	var events []request
	for line := range strings.Lines(string(text)) {
		if !strings.HasSuffix(line, "\n") {
			break // it is only just being written
		}
		var event request
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			r.t.Fatalf("%v in the audit log: %s", err, line)
		}
		if event.User.Username == account && event.ObjectRef != nil {
			events = append(events, event)
		}
	}
	return events
}

package controllers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/test/cluster"
	"kongdao.io/kongdao/test/installation"
)

// userRolesFile has the ClusterRoles that the chart adds to those of Kubernetes.
const userRolesFile = "rbac-users.yaml"

// user runs "kubectl kongdao" with one ClusterRole of Kubernetes in one namespace.
type user struct {
	namespace, kubeconfig, program string
}

// newUser creates a user with a ClusterRole in a namespace.
func newUser(t *testing.T, program, namespace, role string) user {
	t.Helper()
	name := "test:" + namespace + ":" + role
	_, kubeconfig, err := plane.User(name)
	if err != nil {
		t.Fatal(err)
	}
	shared.Create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	})
	return user{namespace, kubeconfig, program}
}

// run runs "kubectl kongdao".
func (u user) run(t *testing.T, arguments ...string) cluster.Output {
	t.Helper()
	flags := []string{"--kubeconfig", u.kubeconfig, "--namespace", u.namespace}
	last := len(arguments) - 1 // a completion is for the last argument
	arguments = slices.Concat(arguments[:last], flags, arguments[last:])
	return cluster.RunProgram(t.Context(), t, u.program, "", arguments...)
}

// want runs "kubectl kongdao" and checks that it succeeds and prints the texts.
func (u user) want(t *testing.T, command string, texts ...string) {
	t.Helper()
	output := u.run(t, strings.Fields(command)...)
	if output.Failed {
		t.Errorf("kubectl kongdao %s failed: %s", command, output.Stderr)
	}
	for _, text := range texts {
		if !strings.Contains(output.Stdout+output.Stderr, text) {
			t.Errorf("kubectl kongdao %s: %q is not in\n%s%s", command, text, output.Stdout, output.Stderr)
		}
	}
}

// commandProgram builds kubectl-kongdao. It installs the ClusterRoles for users, and waits until Kubernetes has added
// them to its own.
func commandProgram(t *testing.T) string {
	t.Helper()
	kubectl(t, "default", "apply", "-f", filepath.Join(installation.ProjectRoot(), "deploy/kustomize/base", userRolesFile))
	cluster.Eventually(t, func(ctx context.Context) error {
		var edit rbacv1.ClusterRole
		if err := webhook.Admin.Get(ctx, client.ObjectKey{Name: "edit"}, &edit); err != nil {
			return err
		}
		if !strings.Contains(fmt.Sprint(edit.Rules), "pluginmigrations") {
			return errors.New("the ClusterRole edit does not have the rules of kongdao")
		}
		return nil
	})
	folder, err := os.MkdirTemp(shared.Dir, "commands-")
	if err != nil {
		t.Fatal(err)
	}
	program, err := installation.Build(t.Context(), "kubectl-kongdao", folder)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// TestCommandsOfUsers runs the commands about waiting pods with the rights of an editor and of a viewer of a namespace.
func TestCommandsOfUsers(t *testing.T) {
	t.Parallel()
	ns := shared.CreateNamespace(t)
	program := commandProgram(t)
	editor, viewer := newUser(t, program, ns, "edit"), newUser(t, program, ns, "view")
	daoTest(t, ns)
	gated := pod(ns, "gated", "dao-test@1.0.0")
	shared.Create(t, gated)
	job := runningJob(t, ns, "up")
	name := job.Labels[annotations.Migration]
	for _, u := range []user{viewer, editor} {
		u.want(t, "status", "pod/gated", "Waiting", "pod \"gated\" waits for PluginMigration \""+name+"\"")
		u.want(t, "status --output=name", "pod/gated")
		u.want(t, "explain pod/gated", "you may not list PluginPolicies", "annotation kongdao.io/plugins requests it",
			"the pod waits for PluginMigration \""+name+"\", which is Migrating", "ungate gated -n "+ns)
		u.want(t, "plan pod/gated", "database postgres."+ns+":5432/kong", base+" runs with \"kong migrations up\"")
	}
	editor.want(t, "__complete migration hold dao", name)
	editor.want(t, "__complete ungate ga", "gated")
	for _, command := range []string{
		"migration retry " + name + " --yes", "migration hold " + name, "ungate gated --yes",
	} {
		if output := viewer.run(t, strings.Fields(command)...); !output.Failed ||
			!strings.Contains(output.Stderr, "forbidden") {
			t.Errorf("a viewer may run %s: %s%s", command, output.Stdout, output.Stderr)
		}
	}
	editor.want(t, "migration hold "+name+" --dry-run", "(dry run)")
	editor.want(t, "migration hold "+name, "kongdao starts no Job")
	endJob(t, job, failed("Error: boom"))
	if output := editor.run(t, "wait", name); !output.Failed || !strings.Contains(output.Stderr, "boom") {
		t.Errorf("wait ends with %s%s", output.Stdout, output.Stderr)
	}
	editor.want(t, "migration retry "+name, "kongdao continues")
	editor.want(t, "migration retry "+name, "kongdao creates the PluginMigration again")
	endJob(t, runningJob(t, ns, "up"), done())
	editor.want(t, "wait "+name+" --for=finished", "Finished")
	wantUngated(t, gated)
	second := onDatabase(pod(ns, "second", "dao-test@1.0.0"), "other")
	shared.Create(t, second)
	cluster.Eventually(t, func(ctx context.Context) error {
		return webhook.Admin.Get(ctx, client.ObjectKeyFromObject(second), second)
	})
	editor.want(t, "ungate second --yes", "starts without waiting")
	wantUngated(t, second)
	migrationInPhase(t, ns, "dao-test@1.0.0", v1alpha1.PhaseFinished)
}

package installation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/wait"
)

// User is whom the webhook's program comes as.
const User = "kongdao-webhook"

// Root is the project's folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// read reads the one object of object's kind in a file of deploy/kustomize/base.
func read(name string, object any) error {
	file := filepath.Join("deploy", "kustomize", "base", name)
	text, err := os.ReadFile(filepath.Join(Root(), file))
	if err != nil {
		return err
	}
	kind := reflect.TypeOf(object).Elem().Name()
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), len(text))
	for {
		var document json.RawMessage
		if err := documents.Decode(&document); err != nil {
			return fmt.Errorf("find the %s in %s: %w", kind, file, err)
		}
		var found metav1.TypeMeta
		if err := json.Unmarshal(document, &found); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if found.Kind == kind {
			return json.Unmarshal(document, object)
		}
	}
}

// Grant makes a ClusterRole of this name and gives it to the user of the same
// name. It returns a kubeconfig of that user.
func Grant(ctx context.Context, plane *controlplane.ControlPlane, name string, rules []rbacv1.PolicyRule) (kubeconfig string, err error) {
	admin, err := client.New(plane.Config(), client.Options{})
	if err != nil {
		return "", fmt.Errorf("make a client: %w", err)
	}
	for _, object := range []client.Object{
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
		},
	} {
		if err := admin.Create(ctx, object); err != nil {
			return "", fmt.Errorf("grant %s its rights: %w", name, err)
		}
	}
	_, kubeconfig, err = plane.User(name)
	return kubeconfig, err
}

// Rights is what rbac-plugins.yaml gives the webhook, and the ClusterRoles of
// further files: all that it may do, but for its certificate.
func Rights(further ...string) ([]rbacv1.PolicyRule, error) {
	var rules []rbacv1.PolicyRule
	for _, name := range append([]string{"rbac-plugins.yaml"}, further...) {
		role := &rbacv1.ClusterRole{}
		if err := read(name, role); err != nil {
			return nil, err
		}
		rules = append(rules, role.Rules...)
	}
	return rules, nil
}

// grant makes the user with those rights, and no others.
func grant(ctx context.Context, plane *controlplane.ControlPlane, further ...string) (kubeconfig string, err error) {
	rules, err := Rights(further...)
	if err != nil {
		return "", err
	}
	return Grant(ctx, plane, User, rules)
}

// register makes the API server call the webhook, and returns when it does.
func (w *Webhook) register(ctx context.Context, plane *controlplane.ControlPlane) error {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := read("mutatingwebhookconfiguration.yaml", configuration); err != nil {
		return err
	}
	for i := range configuration.Webhooks {
		called := &configuration.Webhooks[i].ClientConfig
		url := w.URL(*called.Service.Path)
		*called = admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: plane.CA()}
	}
	if err := w.Admin.Create(ctx, configuration); err != nil {
		return fmt.Errorf("register the webhook: %w", err)
	}
	return w.waitUntilCalled(ctx)
}

// waitUntilCalled asks, in dry runs, for a pod that the webhook denies: the
// API server takes a moment to notice a new configuration.
func (w *Webhook) waitUntilCalled(ctx context.Context) error {
	const unknown = "no-such-plugin"
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := wait.Until(ctx, func(ctx context.Context) error {
		probe := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: metav1.NamespaceDefault, GenerateName: "probe-",
				Annotations: map[string]string{annotations.Plugins: unknown},
			},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}},
		}
		err := w.Admin.Create(ctx, probe, client.DryRunAll)
		switch {
		case err == nil:
			return errors.New("a pod that the webhook denies is admitted")
		case strings.Contains(err.Error(), unknown):
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("wait until the API server calls the webhook: %w", err)
	}
	return nil
}

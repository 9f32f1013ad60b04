// Package installation runs kongdao's webhook and controller as processes next to a control plane on this machine.
// Permissions and webhook configurations come from deploy/kustomize/base. The only difference is that the API server
// calls the webhook at a loopback address instead of a Service.
package installation

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/test/controlplane"
	"kongdao.io/kongdao/test/wait"
)

// Build builds a command of the project, for example "webhook", into dir. It returns the path of the program. The flags
// are those of go build.
func Build(ctx context.Context, command, dir string, flags ...string) (string, error) {
	program := filepath.Join(dir, command)
	arguments := slices.Concat([]string{"build"}, flags, []string{"-o", program, "kongdao.io/kongdao/cmd/" + command})
	if output, err := exec.CommandContext(ctx, "go", arguments...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build cmd/%s: %w\n%s", command, err, output)
	}
	return program, nil
}

// Start installs kongdao without optional features and starts the webhook. It returns when the API server calls the
// webhook. The webhook runs as WebhookUser. Its files are in dir, which must exist.
func Start(
	ctx context.Context, plane *controlplane.ControlPlane, program, dir string, flags ...string,
) (*Webhook, error) {
	kubeconfig, _, err := createUsers(ctx, plane, "", nil)
	if err != nil {
		return nil, err
	}
	return startRegistered(ctx, plane, program, dir, kubeconfig, flags...)
}

// Programs are the paths of the programs of kongdao.
type Programs struct{ Webhook, Controller string }

// BuildPrograms builds the programs into dir. The flags are those of go build.
func BuildPrograms(ctx context.Context, dir string, flags ...string) (Programs, error) {
	webhook, errWebhook := Build(ctx, "webhook", dir, flags...)
	controller, errController := Build(ctx, "controller", dir, flags...)
	return Programs{Webhook: webhook, Controller: controller}, errors.Join(errWebhook, errController)
}

// StartWithFeatures is like Start, but also installs the CRDs and the features "migrations" or "policies", and starts
// the controller as ControllerUser. The flags are those of the controller. Its Lease is in the namespace, which must
// exist.
func StartWithFeatures(
	ctx context.Context, plane *controlplane.ControlPlane, programs Programs, dir, namespace string, features []string,
	flags ...string,
) (*Webhook, *Program, error) {
	admin, err := newAdmin(plane)
	if err != nil {
		return nil, nil, err
	}
	if err := InstallCRDs(ctx, plane); err != nil {
		return nil, nil, err
	}
	webhookKubeconfig, controllerKubeconfig, err := createUsers(ctx, plane, namespace, features)
	if err != nil {
		return nil, nil, err
	}
	if slices.Contains(features, "policies") {
		if err := installPolicyObjects(ctx, admin); err != nil {
			return nil, nil, err
		}
	}
	var featureFlags []string
	for _, feature := range features {
		featureFlags = append(featureFlags, "--"+feature)
	}
	controller, err := NewController(programs.Controller, dir, controllerKubeconfig, namespace,
		append(slices.Clone(featureFlags), flags...)...)
	if err != nil {
		return nil, nil, err
	}
	if err := controller.StartAndWait(ctx); err != nil {
		return nil, nil, err
	}
	webhook, err := startRegistered(ctx, plane, programs.Webhook, dir, webhookKubeconfig,
		append([]string{"--namespace", namespace}, featureFlags...)...)
	if err != nil {
		return nil, nil, errors.Join(err, controller.Kill())
	}
	return webhook, controller, installAccountPolicies(ctx, admin, webhook.URL("/mutate/pods"))
}

// startRegistered starts a webhook and registers it with the API server.
func startRegistered(
	ctx context.Context, plane *controlplane.ControlPlane, program, dir, kubeconfig string, flags ...string,
) (*Webhook, error) {
	w, err := NewWebhook(plane, program, dir, kubeconfig, flags...)
	if err != nil {
		return nil, err
	}
	if err := w.StartAndWait(ctx); err != nil {
		return nil, err
	}
	if err := w.register(ctx, plane); err != nil {
		return nil, errors.Join(err, w.Kill())
	}
	return w, nil
}

// register creates the webhook configurations and waits until the API server calls the webhook.
func (w *Webhook) register(ctx context.Context, plane *controlplane.ControlPlane) error {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := readManifest("mutatingwebhookconfiguration.yaml", configuration); err != nil {
		return err
	}
	for i := range configuration.Webhooks {
		w.setURL(&configuration.Webhooks[i].ClientConfig, plane)
	}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := readManifest("validatingwebhookconfiguration.yaml", validating); err != nil {
		return err
	}
	for i := range validating.Webhooks {
		w.setURL(&validating.Webhooks[i].ClientConfig, plane)
	}
	if err := createAll(ctx, w.Admin, "register the webhook", validating, configuration); err != nil {
		return err
	}
	return w.waitUntilCalled(ctx)
}

// setURL makes the API server call this process instead of a Service.
func (w *Webhook) setURL(clientConfig *admissionregistrationv1.WebhookClientConfig, plane *controlplane.ControlPlane) {
	url := w.URL(*clientConfig.Service.Path)
	*clientConfig = admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: plane.CA()}
}

// waitUntilCalled waits until the API server has noticed the webhook configuration. It creates a pod, in a dry run,
// until the webhook denies it.
func (w *Webhook) waitUntilCalled(ctx context.Context) error {
	const unknownPlugin = "no-such-plugin"
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := wait.Until(ctx, func(ctx context.Context) error {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: metav1.NamespaceDefault, GenerateName: "probe-",
				Annotations: map[string]string{annotations.Plugins: unknownPlugin},
			},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "proxy", Image: "kong:3.9"}}},
		}
		err := w.Admin.Create(ctx, pod, client.DryRunAll)
		switch {
		case err == nil:
			return errors.New("the API server admits a pod that the webhook denies")
		case strings.Contains(err.Error(), unknownPlugin):
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("wait until the API server calls the webhook: %w", err)
	}
	return nil
}

// installPolicyObjects creates the additional objects of the feature "policies". These are the configuration with a
// webhook for policies, and the ValidatingAdmissionPolicy that protects copies of sources.
func installPolicyObjects(ctx context.Context, admin client.Client) error {
	const serviceAccount = "system:serviceaccount:kongdao-system:kongdao-controller"
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	binding := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}
	err := errors.Join(
		readManifest("mutatingwebhookconfiguration-policies.yaml", configuration),
		readManifest("validatingadmissionpolicy.yaml", policy),
		readManifest("validatingadmissionpolicy.yaml", binding))
	if err != nil {
		return err
	}
	for i := range policy.Spec.Variables {
		variable := &policy.Spec.Variables[i]
		variable.Expression = strings.ReplaceAll(variable.Expression, serviceAccount, ControllerUser)
	}
	return createAll(ctx, admin, "install the objects for policies", configuration, policy, binding)
}

// createAll creates objects. The purpose is for the error.
func createAll(ctx context.Context, admin client.Client, purpose string, objects ...client.Object) error {
	for _, object := range objects {
		if err := admin.Create(ctx, object); err != nil {
			return fmt.Errorf("%s: %w", purpose, err)
		}
	}
	return nil
}

func newAdmin(plane *controlplane.ControlPlane) (client.WithWatch, error) {
	admin, err := client.NewWithWatch(plane.Config(), client.Options{})
	if err != nil {
		return nil, fmt.Errorf("create a client: %w", err)
	}
	return admin, nil
}

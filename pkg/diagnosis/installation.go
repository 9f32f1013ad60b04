package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/status"
)

// Installation is what the checks of an installation look at.
type Installation struct {
	Now time.Time
	// ClientVersion is the version of kubectl kongdao. KubernetesVersion is "v1.37.2".
	ClientVersion, KubernetesVersion string
	// ServedKinds are those kinds of kongdao.io/v1alpha1 that the API server serves.
	ServedKinds []string
	// Deployments and Services are those of kongdao. Slices are the endpoints of its Services.
	Deployments []appsv1.Deployment
	Services    []corev1.Service
	Slices      []discoveryv1.EndpointSlice
	// Mutating and Validating are all configurations in the cluster.
	Mutating   []admissionregistrationv1.MutatingWebhookConfiguration
	Validating []admissionregistrationv1.ValidatingWebhookConfiguration
	// AdmissionPolicies and AdmissionBindings are the ValidatingAdmissionPolicies of kongdao, and their bindings.
	AdmissionPolicies []admissionregistrationv1.ValidatingAdmissionPolicy
	AdmissionBindings []admissionregistrationv1.ValidatingAdmissionPolicyBinding
	// Certificate is the Secret with the certificate. It is nil if there is none.
	Certificate *corev1.Secret
	// Pods are all pods. Migrations and Policies are all objects of these kinds.
	Pods       []status.Pod
	Migrations []v1alpha1.PluginMigration
	Policies   []v1alpha1.PluginPolicy
	// Admission is the answer to the creation of a pod, in a dry run, that requests a plugin that does not exist.
	Admission Admission
	// LostFields names the pods in which another program removed what kongdao had injected.
	LostFields []string
	// Unreadable are the kinds that could not be read, with the errors.
	Unreadable map[string]error
}

// Admission is the answer to a dry run.
type Admission struct {
	// Namespace is where the pod would have been created. It is "" if there was no dry run.
	Namespace string
	// Error is the error of the API server, or "" if the pod was admitted.
	Error string
}

// minKubernetes is the oldest version of Kubernetes that kongdao works with.
const minKubernetes = "1.30.0"

// Check checks an installation.
func Check(i Installation) Results {
	results := Results{i.checkKubernetes()}
	results = append(results, i.checkReadable()...)
	results = append(results, i.checkKinds())
	results = append(results, i.checkDeployments()...)
	results = append(results, i.checkVersions()...)
	results = append(results, i.checkWebhooks()...)
	results = append(results, i.checkCertificate()...)
	results = append(results, i.checkAdmission(), i.checkAdmissionPolicies())
	return append(results, i.checkWaiting()...)
}

func (i *Installation) checkKubernetes() Result {
	found, err := version.ParseGeneric(i.KubernetesVersion)
	switch {
	case err != nil:
		return Result{"kubernetes", Warning, fmt.Sprintf("the API server has the version %q, which is not a number",
			i.KubernetesVersion), "check that it is Kubernetes 1.30 or newer"}
	case found.LessThan(version.MustParseGeneric(minKubernetes)):
		return Result{"kubernetes", Failed, "the API server is " + i.KubernetesVersion,
			"upgrade Kubernetes to 1.30 or newer: kongdao needs matchConditions and ValidatingAdmissionPolicies"}
	}
	return Result{"kubernetes", OK, "the API server is " + i.KubernetesVersion, ""}
}

// checkReadable reports what could not be read. The other checks treat it as absent.
func (i *Installation) checkReadable() Results {
	var results Results
	for _, kind := range sortedKeys(i.Unreadable) {
		results = append(results, Result{"readable", Warning,
			fmt.Sprintf("cannot read %s: %v", kind, i.Unreadable[kind]),
			"use an account that may read it: the checks about it say that it is missing"})
	}
	return results
}

func sortedKeys[V any](values map[string]V) []string {
	var keys []string
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (i *Installation) checkKinds() Result {
	var missing []string
	for _, kind := range []string{"PluginMigration", "PluginPolicy"} {
		if !slices.Contains(i.ServedKinds, kind) {
			missing = append(missing, kind)
		}
	}
	if len(missing) > 0 {
		return Result{"kinds", Failed, "the API server does not know " + strings.Join(missing, " and "),
			"install the CustomResourceDefinitions: set the chart's value crds.install to true and upgrade"}
	}
	return Result{"kinds", OK, "the API server knows PluginMigration and PluginPolicy", ""}
}

// component is the label of a Deployment: "webhook" or "controller".
const componentLabel = "app.kubernetes.io/component"

// deployment returns the Deployment of a component, or nil.
func (i *Installation) deployment(component string) *appsv1.Deployment {
	for d := range i.Deployments {
		if i.Deployments[d].Labels[componentLabel] == component {
			return &i.Deployments[d]
		}
	}
	return nil
}

func (i *Installation) checkDeployments() Results {
	return Results{
		i.checkDeployment("webhook", Failed, "install kongdao with its Helm chart",
			"pods that request plugins are not created"),
		i.checkDeployment("controller", Warning,
			"without it, no migration runs: set migrations.enabled or policies.enabled in the chart, and upgrade",
			"new pods that need a migration wait"),
	}
}

// checkDeployment checks that a Deployment exists and that its pods are available.
func (i *Installation) checkDeployment(component string, missing Status, install, effect string) Result {
	id := component + "-deployment"
	deployment := i.deployment(component)
	if deployment == nil {
		return Result{id, missing, fmt.Sprintf("there is no Deployment of kongdao's %s", component), install}
	}
	label := fmt.Sprintf("Deployment %q", deployment.Namespace+"/"+deployment.Name)
	logs := fmt.Sprintf("see \"kubectl describe deployment %s -n %s\" and \"kubectl logs deployment/%[1]s -n %[2]s\"",
		deployment.Name, deployment.Namespace)
	wanted := int32(1)
	if deployment.Spec.Replicas != nil {
		wanted = *deployment.Spec.Replicas
	}
	available := deployment.Status.AvailableReplicas
	switch {
	case wanted == 0:
		return Result{id, Failed, label + " is scaled to 0: " + effect,
			fmt.Sprintf("run \"kubectl scale deployment %s -n %s --replicas 2\"", deployment.Name, deployment.Namespace)}
	case available == 0:
		return Result{id, Failed, label + " has no available pod: " + effect, logs}
	case available < wanted:
		return Result{id, Warning, fmt.Sprintf("%s has %d of %d available pods", label, available, wanted), logs}
	case deployment.Spec.Paused:
		return Result{id, Warning, label + " is paused: an upgrade has no effect",
			fmt.Sprintf("run \"kubectl rollout resume deployment %s -n %s\"", deployment.Name, deployment.Namespace)}
	case wanted == 1:
		return Result{id, Warning, label + " has one replica: " + effect + " while its node is drained",
			"set replicaCount to 2 in the chart"}
	}
	return Result{id, OK, fmt.Sprintf("%s has %d available pods", label, available), ""}
}

// checkVersions compares the images of the Deployments with each other, and with this program.
func (i *Installation) checkVersions() Results {
	webhook, controller := i.deployment("webhook"), i.deployment("controller")
	if webhook == nil {
		return nil
	}
	var results Results
	if controller != nil && imageOf(webhook) != imageOf(controller) {
		results = append(results, Result{"same-version", Failed,
			fmt.Sprintf("the webhook has image %q, and the controller has %q", imageOf(webhook), imageOf(controller)),
			"upgrade the chart again, so that both have the same version"})
	}
	server := webhook.Labels["app.kubernetes.io/version"]
	switch {
	case i.ClientVersion == "" || server == "" || strings.TrimPrefix(i.ClientVersion, "v") == server:
		results = append(results, Result{"client-version", OK, "kongdao is " + server, ""})
	default:
		results = append(results, Result{"client-version", Warning,
			fmt.Sprintf("kongdao in the cluster is %s, and this program is %s", server, i.ClientVersion),
			"use the same version: the program may not know what the cluster does"})
	}
	return results
}

func imageOf(deployment *appsv1.Deployment) string {
	for _, container := range deployment.Spec.Template.Spec.Containers {
		return container.Image
	}
	return ""
}

package main

import (
	"context"
	"fmt"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/clusterstate"
	"kongdao.io/kongdao/pkg/diagnosis"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/uses"
)

// read reads an installation. What the user may not read is missing in it, and noted. Only a failed connection is an
// error.
func (c *checkCommand) read(ctx context.Context) (diagnosis.Installation, error) {
	installation := diagnosis.Installation{Now: c.now(), ClientVersion: clientVersion(), Unreadable: map[string]error{}}
	server, err := c.discovery.ServerVersion()
	if err != nil {
		return installation, fmt.Errorf("connect to the cluster: %w", err)
	}
	installation.KubernetesVersion = server.GitVersion
	// An error means that the API server does not serve the group.
	if resources, err := c.discovery.ServerResourcesForGroupVersion(v1alpha1.GroupVersion().String()); err == nil {
		for _, resource := range resources.APIResources {
			installation.ServedKinds = append(installation.ServedKinds, resource.Kind)
		}
	}
	c.readObjects(ctx, &installation)
	c.readPods(ctx, &installation)
	installation.Certificate = c.readCertificate(ctx, &installation)
	if !c.pre {
		installation.Admission = c.tryAdmission(ctx)
	}
	return installation, nil
}

// clientVersion returns the version of this program, or "" for one that was built without a version.
func clientVersion() string {
	if version == "devel" {
		return ""
	}
	return version
}

// readObjects reads the objects of kongdao.
func (c *checkCommand) readObjects(ctx context.Context, into *diagnosis.Installation) {
	own := client.MatchingLabels{partOfLabel: "kongdao"}
	var (
		deployments appsv1.DeploymentList
		services    corev1.ServiceList
		slices      discoveryv1.EndpointSliceList
		mutating    admissionregistrationv1.MutatingWebhookConfigurationList
		validating  admissionregistrationv1.ValidatingWebhookConfigurationList
		policies    admissionregistrationv1.ValidatingAdmissionPolicyList
		bindings    admissionregistrationv1.ValidatingAdmissionPolicyBindingList
	)
	for _, read := range []struct {
		kind    string
		list    client.ObjectList
		options []client.ListOption
	}{
		{"Deployments", &deployments, []client.ListOption{own}}, {"Services", &services, []client.ListOption{own}},
		{"EndpointSlices", &slices, []client.ListOption{own}}, {"MutatingWebhookConfigurations", &mutating, nil},
		{"ValidatingWebhookConfigurations", &validating, nil},
		{"ValidatingAdmissionPolicies", &policies, []client.ListOption{own}},
		{"ValidatingAdmissionPolicyBindings", &bindings, []client.ListOption{own}},
	} {
		if err := c.client.List(ctx, read.list, read.options...); err != nil {
			into.Unreadable[read.kind] = err
		}
	}
	into.Deployments, into.Services, into.Slices = deployments.Items, services.Items, slices.Items
	into.Mutating, into.Validating = mutating.Items, validating.Items
	into.AdmissionPolicies, into.AdmissionBindings = policies.Items, bindings.Items
	var err error
	if into.Migrations, err = uses.ReadMigrations(ctx, c.client, ""); err != nil {
		into.Unreadable["PluginMigrations"] = err
	}
	if into.Policies, err = listPolicies(ctx, c.client); err != nil {
		into.Unreadable["PluginPolicies"] = err
	}
}

// maxComparedPods limits the pods whose fields are compared with what was injected.
const maxComparedPods = 500

// readPods reads the pods, and compares some with what was injected.
func (c *checkCommand) readPods(ctx context.Context, into *diagnosis.Installation) {
	var err error
	if into.Pods, err = readStatusPods(ctx, c.client, ""); err != nil {
		into.Unreadable["Pods"] = err
		return
	}
	compared := 0
	injected := client.MatchingLabels{annotations.Injected: "true"}
	for pod, err := range clusterstate.PodsIn(ctx, c.client, "", injected) {
		if compared++; err != nil || compared > maxComparedPods {
			return
		}
		if hasLostFields(pod) {
			into.LostFields = append(into.LostFields, pod.Namespace+"/"+pod.Name)
		}
	}
}

// hasLostFields reports whether a pod does not have what its injection record says.
func hasLostFields(pod *corev1.Pod) bool {
	record, err := mutate.ParseInjectionRecord(pod.Annotations)
	view, viewErr := clusterstate.PodView(pod)
	if err != nil || viewErr != nil || clusterstate.HasEnded(pod) {
		return false
	}
	request, _ := annotations.Parse(pod.Annotations) // a policy's pod has no request
	for i := range view.Containers {
		container := &view.Containers[i]
		for _, verdict := range mutate.Verdicts(view, request) {
			if verdict.Container == container.Name && verdict.RunsKong &&
				len(mutate.RecordMismatches(view, container, record)) > 0 {
				return true
			}
		}
	}
	return false
}

// readCertificate reads the Secret that the webhook's Deployment names. It returns nil without one.
func (c *checkCommand) readCertificate(ctx context.Context, into *diagnosis.Installation) *corev1.Secret {
	for i := range into.Deployments {
		deployment := &into.Deployments[i]
		for _, container := range deployment.Spec.Template.Spec.Containers {
			for _, argument := range container.Args {
				name, isSecret := strings.CutPrefix(argument, "--cert-secret=")
				if !isSecret {
					continue
				}
				var secret corev1.Secret
				err := c.client.Get(ctx, client.ObjectKey{Namespace: deployment.Namespace, Name: name}, &secret)
				if err == nil {
					return &secret
				}
				if !apierrors.IsNotFound(err) {
					into.Unreadable["Secret"] = err
				}
			}
		}
	}
	return nil
}

// tryAdmission asks the API server to admit a pod, in a dry run, that requests a plugin that does not exist.
func (c *checkCommand) tryAdmission(ctx context.Context) diagnosis.Admission {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: c.namespace, GenerateName: "kongdao-check-",
			Annotations: map[string]string{annotations.Plugins: "kongdao-check-does-not-exist"},
		},
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "proxy", Image: "kong",
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
	answer := diagnosis.Admission{Namespace: c.namespace}
	if err := c.client.Create(ctx, pod, client.DryRunAll); err != nil {
		answer.Error = err.Error()
	}
	return answer
}

// readRights asks which of the permissions for the installation the user has.
func readRights(ctx context.Context, writer client.Client) ([]diagnosis.Right, error) {
	rights := []diagnosis.Right{
		{Verb: "create", Resource: "namespaces"}, {Verb: "create", Group: "apps", Resource: "deployments"},
		{Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "clusterroles"},
		{Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"},
		{Verb: "create", Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions"},
		{Verb: "create", Group: "admissionregistration.k8s.io", Resource: "mutatingwebhookconfigurations"},
		{Verb: "create", Group: "admissionregistration.k8s.io", Resource: "validatingwebhookconfigurations"},
		{Verb: "create", Group: "admissionregistration.k8s.io", Resource: "validatingadmissionpolicies"},
	}
	for i := range rights {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: rights[i].Verb, Group: rights[i].Group, Resource: rights[i].Resource,
			},
		}}
		if err := writer.Create(ctx, review); err != nil {
			return nil, fmt.Errorf("ask for your rights: %w", err)
		}
		rights[i].Allowed = review.Status.Allowed
	}
	return rights, nil
}

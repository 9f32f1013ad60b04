package manifest

import (
	"cmp"
	"fmt"
	"slices"

	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
	"kongdao.io/kongdao/pkg/yamledit"
)

// Result is what Inject reports. If there are denials, the documents must not be written.
type Result struct {
	Warnings, Denials Problems
	// Requesting is the number of pods and pod templates that request plugins, or get plugins from policies.
	Requesting int
}

// Settings are the settings of Inject.
type Settings struct {
	// Namespace is the namespace of objects that have none in their file.
	Namespace string
	// RunsMigrations reports whether kongdao runs migrations in the cluster.
	RunsMigrations bool
}

// Inject patches each pod and pod template in the documents as the webhook does. Sources are in the documents.
// Policies are in documents of their own, which can also contain namespaces.
func Inject(documents, policies []*Document, settings Settings) Result {
	injector := injector{
		settings:           settings,
		namespacesByPlugin: map[string]map[string]bool{},
		namespaceLabels:    map[string]map[string]string{},
		positions:          map[string]Problem{},
	}
	injector.readPolicies(policies)
	injector.readSources(documents)
	for _, document := range documents {
		for _, object := range document.objects {
			injector.inject(object)
		}
	}
	return injector.result.sorted(slices.Concat(policies, documents))
}

// sorted sorts the problems by their position in the input.
func (r Result) sorted(documents []*Document) Result {
	order := map[string]int{}
	for i, document := range documents {
		if _, known := order[document.File]; !known {
			order[document.File] = i
		}
	}
	for _, problems := range []Problems{r.Warnings, r.Denials} {
		slices.SortStableFunc(problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(order[a.File], order[b.File]), cmp.Compare(a.Line, b.Line))
		})
	}
	return r
}

type injector struct {
	settings Settings
	sources  catalog.Index
	policies policy.Index
	// namespacesByPlugin are the namespaces that have sources of a plugin.
	namespacesByPlugin map[string]map[string]bool
	// namespaceLabels are the labels of the namespaces in the input.
	namespaceLabels map[string]map[string]string
	// positions are the positions of sources, policies and namespaces, by label.
	positions map[string]Problem
	result    Result
}

func (j *injector) namespaceOf(object *kubeObject) string {
	return cmp.Or(object.Namespace, j.settings.Namespace)
}

// label names an object in messages: Deployment "kong/kong-kong".
func (j *injector) label(object *kubeObject) string {
	return fmt.Sprintf("%s %s", object.Kind, denial.Quote(j.namespaceOf(object)+"/"+object.Name))
}

func (j *injector) warn(object *kubeObject, label, text string) {
	j.result.Warnings = append(j.result.Warnings, object.problem("%s: %s", label, text))
}

func (j *injector) deny(object *kubeObject, label, text string) {
	j.result.Denials = append(j.result.Denials, object.problem("%s: %s", label, text))
}

// inject patches one object if it has a pod or a pod template.
func (j *injector) inject(object *kubeObject) {
	location, ok := object.podLocation()
	if !ok {
		j.warnUnsupported(object)
		return
	}
	j.warnRemovedVersion(object)
	if err := j.propagate(object, location); err != nil {
		j.deny(object, j.label(object), err.Error())
		return
	}
	pod, err := object.decodePod(location.pointer)
	if err != nil {
		j.deny(object, j.label(object), fmt.Sprintf("cannot be parsed as a pod: %v", err))
		return
	}
	admitted, err := j.admit(object, pod)
	if err == nil && location.propagates && j.pin(object, location, pod, &admitted) {
		if pod, err = object.decodePod(location.pointer); err == nil {
			admitted, err = j.admit(object, pod)
		}
	}
	if err != nil {
		j.deny(object, j.label(object), err.Error())
		return
	}
	j.apply(object, location.pointer, &admitted)
}

// admit decides about a pod as the webhook does.
func (j *injector) admit(object *kubeObject, pod mutate.Pod) (decision.Decision, error) {
	namespace := j.namespaceOf(object)
	return decision.Admit(decision.Pod{
		Namespace: namespace, OwnerKind: object.ownerKind(), View: pod,
	}, decision.Cluster{
		Policies: j.policies.Of(namespace, j.labelsOf(namespace)), Releases: j.sources.Releases,
		RunsMigrations: j.settings.RunsMigrations,
	})
}

// apply reports the denials and warnings of a decision, and patches the pod at a pointer.
func (j *injector) apply(object *kubeObject, pointer string, admitted *decision.Decision) {
	namespace := j.namespaceOf(object)
	if len(admitted.Request.Plugins) > 0 {
		j.result.Requesting++
	}
	for _, denied := range admitted.Denials.Sorted() {
		j.deny(object, j.label(object), denied.Message+j.sourceHint(namespace, denied, admitted))
	}
	for _, warning := range slices.Concat(admitted.Warnings, copyWarnings(namespace, admitted)) {
		j.warn(object, j.label(object), warning)
	}
	for _, operation := range admitted.Patch {
		if err := object.patch(pointer, operation); err != nil {
			j.deny(object, j.label(object), err.Error())
		}
	}
}

// patch applies an operation whose path starts at a pointer below the object.
func (o *kubeObject) patch(pointer string, operation mutate.Operation) error {
	operation.Path = o.pointer + pointer + operation.Path
	return o.document.Apply(yamledit.Operation(operation))
}

package manifest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"

	"kongdao.io/kongdao/pkg/annotations"
	"kongdao.io/kongdao/pkg/catalog"
	"kongdao.io/kongdao/pkg/decision"
	"kongdao.io/kongdao/pkg/denial"
	"kongdao.io/kongdao/pkg/mutate"
	"kongdao.io/kongdao/pkg/policy"
)

// Result is what an injection has to say. With denials the documents are in
// no state to be written.
type Result struct{ Warnings, Denials Problems }

// Inject gives every pod and pod template in the documents what it asks for, and
// what the policies in further documents say, from the sources in the documents.
// Objects that name no namespace are in the given one.
func Inject(documents, policies []*Document, namespace string) Result {
	injector := injector{namespace: namespace, homes: map[string]map[string]bool{}, places: map[string]Problem{}}
	injector.readPolicies(policies)
	for _, document := range documents {
		for _, object := range document.Objects {
			switch {
			case object.isConfigMap():
				injector.addSource(object)
			case object.isNamespace():
				injector.addNamespace(object)
			case object.isPolicy():
				injector.result.Warnings = append(injector.result.Warnings, object.problem(clusterLabel(object)+
					": decides nothing here; name its file with --policy"))
			}
		}
	}
	for _, document := range documents {
		for _, object := range document.Objects {
			injector.inject(object)
		}
	}
	return injector.result.sorted(slices.Concat(policies, documents))
}

// sorted puts the problems into the order of the input.
func (r Result) sorted(documents []*Document) Result {
	place := map[string]int{}
	for i, document := range documents {
		if _, known := place[document.File]; !known {
			place[document.File] = i
		}
	}
	for _, problems := range []Problems{r.Warnings, r.Denials} {
		slices.SortStableFunc(problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(place[a.File], place[b.File]), cmp.Compare(a.Line, b.Line))
		})
	}
	return r
}

type injector struct {
	namespace string
	index     catalog.Index
	// homes are the namespaces with sources, by plugin.
	homes    map[string]map[string]bool
	policies policy.Index
	// labels are those of the namespaces in the input.
	labels map[string]map[string]string
	places map[string]Problem
	result Result
}

func (j *injector) namespaceOf(object *Object) string {
	if object.Namespace == "" {
		return j.namespace
	}
	return object.Namespace
}

// label is how messages call an object: Deployment "kong/kong-kong".
func (j *injector) label(object *Object) string {
	return fmt.Sprintf("%s %s", object.Kind, denial.Quote(j.namespaceOf(object)+"/"+object.Name))
}

func (j *injector) warn(object *Object, text string) {
	j.result.Warnings = append(j.result.Warnings, object.problem(j.label(object)+": "+text))
}

func (j *injector) deny(object *Object, text string) {
	j.result.Denials = append(j.result.Denials, object.problem(j.label(object)+": "+text))
}

func (j *injector) addSource(object *Object) {
	if member(member(member(object.node, "metadata"), "labels"), annotations.Plugin) == nil {
		return
	}
	encoded, err := appendJSON(nil, object.node)
	var configMap corev1.ConfigMap
	if err == nil {
		err = json.UnmarshalCaseSensitivePreserveInts(encoded, &configMap)
	}
	if err != nil {
		j.deny(object, fmt.Sprintf("cannot be read as a ConfigMap: %v", err))
		return
	}
	configMap.Namespace = j.namespaceOf(object)
	source := catalog.NewSource(&configMap)
	j.once(object, j.label(object))
	j.index.Put(source)
	if j.homes[source.Plugin] == nil {
		j.homes[source.Plugin] = map[string]bool{}
	}
	j.homes[source.Plugin][source.Namespace] = true
}

// once warns of an object that is in the input twice.
func (j *injector) once(object *Object, label string) {
	if first, twice := j.places[label]; twice {
		j.result.Warnings = append(j.result.Warnings,
			object.problem(fmt.Sprintf("%s: is in the input twice, first at %s:%d; this one counts", label, first.File, first.Line)))
	}
	j.places[label] = object.problem("")
}

// inject decides on one object and patches it.
func (j *injector) inject(object *Object) {
	const elsewhere = "inject does not know this kind; the webhook injects the pods that it makes"
	pointer, carries, ok := object.pod()
	switch {
	case !ok:
		j.warnUnread(object, "/metadata", elsewhere)
		j.warnUnread(object, "/spec/template/metadata", elsewhere)
		return
	case carries:
		if err := j.carry(object, pointer); err != nil {
			j.deny(object, err.Error())
			return
		}
	case pointer != "":
		j.warnUnread(object, "/metadata", fmt.Sprintf("it is not carried from a %s into its pods; put it on the pod template", object.Kind))
	}
	pod, err := object.decode(pointer)
	if err != nil {
		j.deny(object, fmt.Sprintf("cannot be read as a pod: %v", err))
		return
	}
	namespace := j.namespaceOf(object)
	decision, err := j.decide(namespace, pod)
	if err != nil {
		j.deny(object, err.Error())
		return
	}
	for _, denied := range decision.Denials.Sorted() {
		j.deny(object, denied.Message+j.elsewhere(namespace, denied, &decision))
	}
	for _, warning := range decision.Warnings {
		j.warn(object, warning)
	}
	for _, operation := range decision.Patch {
		if err := object.document.apply(object.pointer+pointer, operation); err != nil {
			j.deny(object, err.Error())
		}
	}
}

// decode reads the pod or pod template at a pointer as the webhook reads pods.
// One that is not there asks for nothing.
func (o *Object) decode(pointer string) (mutate.Pod, error) {
	template := o.at(pointer)
	if template == nil {
		return mutate.Pod{}, nil
	}
	encoded, err := appendJSON(nil, template)
	if err != nil {
		return mutate.Pod{}, err
	}
	return mutate.DecodePod(encoded)
}

// elsewhere adds to the denial of an unknown plugin where the input has it.
func (j *injector) elsewhere(namespace string, denied denial.Denial, decision *decision.Decision) string {
	if denied.Reason != denial.UnknownPlugin {
		return ""
	}
	for _, ref := range decision.Request.Plugins {
		homes := slices.Collect(maps.Keys(j.homes[ref.Name]))
		said := strings.HasPrefix(denied.Message, fmt.Sprintf("plugin %q:", ref.Name)) || strings.HasPrefix(denied.Message, fmt.Sprintf("plugin %q:", ref.String()))
		if said && len(homes) > 0 {
			return fmt.Sprintf("; the input has it in namespace %s: pack it with -n %s", denial.QuoteNames(homes), decision.Origins[ref.Name].Namespaces(namespace)[0])
		}
	}
	return ", and add it to the input with -f"
}

package migrate_test

import (
	"fmt"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/migrate"
)

// What a Job does with a field of the pod that it is made from.
const (
	copied   = "copied"
	replaced = "replaced"
)

// containerFields returns, for each field of a container, copied, replaced, or the reason why a Job does not have it.
func containerFields() map[string]string {
	return map[string]string{
		"Image":           copied,
		"ImagePullPolicy": copied,
		"WorkingDir":      copied,
		"EnvFrom":         copied,
		"Env":             copied, // and the variables of the script
		"SecurityContext": copied,
		"VolumeMounts":    copied, // and the folders that the script needs
		"VolumeDevices":   copied,

		"Name":                     replaced,
		"Command":                  replaced,
		"Resources":                replaced, // without claims, which belong to the pod
		"TerminationMessagePath":   replaced,
		"TerminationMessagePolicy": replaced,

		"Args":               "the command is the script",
		"Ports":              "a Job serves nothing",
		"LivenessProbe":      "a Job serves nothing",
		"ReadinessProbe":     "a Job serves nothing",
		"StartupProbe":       "a Job serves nothing",
		"Lifecycle":          "the hooks are for a gateway",
		"RestartPolicy":      "it would make an init container a sidecar; the Job decides about restarts",
		"RestartPolicyRules": "the Job decides about restarts",
		"ResizePolicy":       "a Job is not resized",
		"Stdin":              "the script reads no input",
		"StdinOnce":          "the script reads no input",
		"TTY":                "the script reads no input",
	}
}

// podFields is containerFields for a pod.
func podFields() map[string]string {
	return map[string]string{
		"ServiceAccountName":           copied,
		"AutomountServiceAccountToken": copied,
		"SecurityContext":              copied,
		"ImagePullSecrets":             copied,
		"HostUsers":                    copied,
		"NodeSelector":                 copied,
		"Tolerations":                  copied, // except those that the API server adds to every pod
		"SchedulerName":                copied,
		"RuntimeClassName":             copied,
		"PriorityClassName":            copied,
		"HostNetwork":                  copied,
		"DNSPolicy":                    copied,
		"DNSConfig":                    copied,
		"HostAliases":                  copied,
		"EnableServiceLinks":           copied,

		"Containers":                    replaced,
		"Volumes":                       replaced, // those that the container mounts
		"Affinity":                      replaced, // the part about nodes
		"RestartPolicy":                 replaced,
		"TerminationGracePeriodSeconds": replaced,

		"InitContainers":            "a Job runs those that kongdao.io/migrations-with names",
		"EphemeralContainers":       "they are for debugging a running pod",
		"ActiveDeadlineSeconds":     "the script has its own deadline",
		"DeprecatedServiceAccount":  "it is an alias of serviceAccountName",
		"NodeName":                  "the scheduler chooses a node",
		"HostPID":                   "Kong does not need other processes of the node",
		"HostIPC":                   "Kong does not need other processes of the node",
		"ShareProcessNamespace":     "there is one container",
		"Hostname":                  "no one connects to a Job",
		"Subdomain":                 "no one connects to a Job",
		"SetHostnameAsFQDN":         "no one connects to a Job",
		"HostnameOverride":          "no one connects to a Job",
		"Priority":                  "the API server derives it from the priority class",
		"PreemptionPolicy":          "the API server derives it from the priority class",
		"ReadinessGates":            "a Job serves nothing",
		"Overhead":                  "the API server derives it from the runtime class",
		"TopologySpreadConstraints": "they spread gateways",
		"OS":                        "Kong runs on Linux only",
		"SchedulingGates":           "the Job must start",
		"ResourceClaims":            "a claim of a gateway may not be shared",
		"Resources":                 "the container has its own resources",
		"SchedulingGroup":           "a Job is not scheduled together with gateways",
		"EvictionResponders":        "they move requests of a gateway to other pods",
	}
}

// TestJobFields proves for each field of a container and of a pod what a Job does with it. A new field of the
// Kubernetes API fails this test until a person decides about it.
func TestJobFields(t *testing.T) {
	var pod corev1.Pod
	fill(reflect.ValueOf(&pod.Spec).Elem(), "spec")
	from := &pod.Spec.Containers[0]
	pod.Spec.Volumes[0].Name = from.VolumeMounts[0].Name
	before := pod.DeepCopy()
	requirement := migrate.Requirement{Container: from.Name}
	start := migrate.JobStart{Step: "up", From: migrate.Pod{Requirement: requirement}}
	job, err := migrate.NewJob(&v1alpha1.PluginMigration{}, start, &pod, settings())
	if err != nil {
		t.Fatal(err)
	}
	if !equality.Semantic.DeepEqual(before, &pod) {
		t.Error("NewJob changed the pod that it was given")
	}
	podSpec := job.Spec.Template.Spec
	container := podSpec.Containers[0]
	// What the script needs comes after what the container has. KONG_PREFIX and /tmp are not in the filled container.
	container.Env = container.Env[:len(from.Env)]
	container.VolumeMounts = container.VolumeMounts[:len(from.VolumeMounts)]
	checkFields(t, containerFields(), reflect.ValueOf(*from), reflect.ValueOf(container))
	checkFields(t, podFields(), reflect.ValueOf(pod.Spec), reflect.ValueOf(podSpec))
}

// checkFields compares the fields of two structs as decisions say.
func checkFields(t *testing.T, decisions map[string]string, from, to reflect.Value) {
	t.Helper()
	kind := from.Type()
	for i := range kind.NumField() {
		name := kind.Field(i).Name
		before, after := from.Field(i).Interface(), to.Field(i).Interface()
		if from.Field(i).IsZero() {
			t.Fatalf("%s.%s: the test did not fill it", kind, name)
		}
		switch decision := decisions[name]; decision {
		case "":
			t.Errorf("%s.%s is new: decide whether a Job copies it, then add it to this test", kind, name)
		case copied:
			if !equality.Semantic.DeepEqual(before, after) {
				t.Errorf("%s.%s: want a copy of %v, got %v", kind, name, before, after)
			}
		case replaced:
			if to.Field(i).IsZero() || equality.Semantic.DeepEqual(before, after) {
				t.Errorf("%s.%s: want another value than %v, got %v", kind, name, before, after)
			}
		default:
			if !to.Field(i).IsZero() {
				t.Errorf("%s.%s: want nothing because %s, got %v", kind, name, decision, after)
			}
		}
		delete(decisions, name)
	}
	for name := range decisions {
		t.Errorf("%s has no field %s: remove it from this test", kind, name)
	}
}

// fill sets a value, and everything in it, to something that is not zero.
func fill(value reflect.Value, text string) {
	switch value.Interface().(type) {
	case resource.Quantity:
		value.Set(reflect.ValueOf(resource.MustParse("1")))
		return
	case metav1.Time, metav1.FieldsV1:
		return // they are in no field that a Job copies
	}
	switch value.Kind() {
	case reflect.Bool:
		value.SetBool(true)
	case reflect.String:
		value.SetString(text)
	case reflect.Int, reflect.Int8, reflect.Int32, reflect.Int64:
		value.SetInt(1)
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		fill(value.Elem(), text)
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		fill(value.Index(0), text)
	case reflect.Map:
		value.Set(reflect.MakeMap(value.Type()))
		key, element := reflect.New(value.Type().Key()).Elem(), reflect.New(value.Type().Elem()).Elem()
		fill(key, text)
		fill(element, text)
		value.SetMapIndex(key, element)
	case reflect.Struct:
		for i := range value.NumField() {
			fill(value.Field(i), text+"."+value.Type().Field(i).Name)
		}
	case reflect.Uint8:
		value.SetUint(1)
	default:
		panic(fmt.Sprintf("cannot fill %s of kind %s", text, value.Kind()))
	}
}

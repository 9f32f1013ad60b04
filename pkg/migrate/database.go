package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/mutate"
)

// databaseKeyLength is the number of hexadecimal digits of a database key.
const databaseKeyLength = 16

// DatabaseOf returns the database that the variables of a Kong container of a pod name. It returns false for a database
// that no Job can reach: one on the loopback address, which is Kong's default. A Job reaches it if it includes the
// sidecar that forwards to the database: with has the names of the containers that the Job includes.
//
// Two containers use the same database if host, port, name and schema are equal. Each is a value, or a reference to a
// Secret or ConfigMap, which is never read. A value means the same in every namespace. A reference, and a host without
// a dot, belong to their namespace. A sidecar, which is identified by what it runs, belongs to it too.
func DatabaseOf(
	namespace string, pod *mutate.Pod, container *mutate.Container, with []string,
) (v1alpha1.Database, bool) {
	host, set := pod.Value(container, mutate.EnvHost)
	if !set {
		host = mutate.Value{Text: "127.0.0.1", Literal: true} // Kong's default
	}
	if host.Literal && isLoopback(host.Text) {
		sidecars, ok := pod.SidecarsOf(with)
		if !ok {
			return v1alpha1.Database{}, false
		}
		host = mutate.Value{Text: strings.Join(sidecars.Names, "+") + "-" + sidecars.Hash}
	}
	inNamespace := !host.Literal
	if host.Literal {
		host.Text = qualifiedHost(host.Text, namespace)
	}
	values := [4]string{host.Text}
	for i, variable := range []struct{ name, unset string }{
		{mutate.EnvPort, "5432"}, {mutate.EnvName, "kong"}, {mutate.EnvSchema, ""},
	} {
		value, set := pod.Value(container, variable.name)
		if !set {
			value = mutate.Value{Text: variable.unset, Literal: true}
		}
		inNamespace = inNamespace || !value.Literal
		values[i+1] = value.Text
	}
	database := v1alpha1.Database{Host: values[0], Port: values[1], Name: values[2], Schema: values[3]}
	if !inNamespace {
		namespace = ""
	}
	database.Key = databaseKey(values, namespace)
	database.Description = database.Host + ":" + database.Port + "/" + database.Name
	if database.Schema != "" {
		database.Description += "." + database.Schema
	}
	return database, true
}

// databaseKey returns a hash of values. The namespace is empty if the values mean the same everywhere.
func databaseKey(values [4]string, namespace string) string {
	hash := sha256.New()
	for _, value := range values {
		hash.Write([]byte(value))
		hash.Write([]byte{0})
	}
	hash.Write([]byte(namespace))
	return hex.EncodeToString(hash.Sum(nil))[:databaseKeyLength]
}

func isLoopback(host string) bool {
	return host == "" || host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// qualifiedHost returns the name of a host as every namespace can use it. It adds the namespace to the name of a
// Service, and removes the suffixes that the resolver of a pod adds.
func qualifiedHost(host, namespace string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, suffix := range []string{".cluster.local", ".svc"} {
		host = strings.TrimSuffix(host, suffix)
	}
	if !strings.ContainsAny(host, ".:") {
		host += "." + namespace
	}
	return host
}

package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"kongdao.io/kongdao/pkg/apis/v1alpha1"
	"kongdao.io/kongdao/pkg/mutate"
)

// keyLength is how many hexadecimal digits tell databases apart.
const keyLength = 16

// DatabaseOf yields the database that a Kong container's variables point to. It
// is false where no Job could reach it: one on the container's own address,
// which is Kong's default.
//
// Two databases are one where host, port, name and schema are: their values, or
// the places that they come from, which are never read. A value is the same
// everywhere; a place, and a host without a dot, is its namespace's own.
func DatabaseOf(namespace string, container *mutate.Container) (v1alpha1.Database, bool) {
	host, set := container.Value(mutate.EnvHost)
	if !set || host.Literal && isLoopback(host.Text) {
		return v1alpha1.Database{}, false
	}
	own := !host.Literal
	if host.Literal {
		host.Text = absolute(host.Text, namespace)
	}
	values := [4]string{host.Text}
	for i, variable := range []struct{ name, unset string }{{mutate.EnvPort, "5432"}, {mutate.EnvName, "kong"}, {mutate.EnvSchema, ""}} {
		value, set := container.Value(variable.name)
		if !set {
			value = mutate.Value{Text: variable.unset, Literal: true}
		}
		own = own || !value.Literal
		values[i+1] = value.Text
	}
	hash := sha256.New()
	for _, value := range values {
		hash.Write([]byte(value))
		hash.Write([]byte{0})
	}
	if own {
		hash.Write([]byte(namespace))
	}
	database := v1alpha1.Database{
		Key:  hex.EncodeToString(hash.Sum(nil))[:keyLength],
		Host: values[0], Port: values[1], Name: values[2], Schema: values[3],
	}
	database.Description = database.Host + ":" + database.Port + "/" + database.Name
	if database.Schema != "" {
		database.Description += "." + database.Schema
	}
	return database, true
}

func isLoopback(host string) bool {
	return host == "" || host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// absolute is a host's name as any namespace would call it: of a Service, with
// its namespace and without the suffixes that a pod's resolver adds.
func absolute(host, namespace string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, suffix := range []string{".cluster.local", ".svc"} {
		host = strings.TrimSuffix(host, suffix)
	}
	if !strings.ContainsAny(host, ".:") {
		host += "." + namespace
	}
	return host
}

package controlplane

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// flags are a program's flags by name, without dashes.
type flags map[string]string

// with returns these flags and others, which win.
func (f flags) with(others map[string]string) flags {
	all := maps.Clone(f)
	maps.Copy(all, others)
	return all
}

// args returns the flags as arguments, in the same order each time.
func (f flags) args() []string {
	args := make([]string, 0, len(f))
	for _, name := range slices.Sorted(maps.Keys(f)) {
		args = append(args, "--"+name+"="+f[name])
	}
	return args
}

func (c *ControlPlane) etcdFlags() flags {
	client, peer := c.ports.etcd.url("http"), c.ports.etcdPeer.url("http")
	return flags{
		"data-dir":                    filepath.Join(c.dir, "etcd"),
		"listen-client-urls":          client,
		"advertise-client-urls":       client,
		"listen-peer-urls":            peer,
		"initial-advertise-peer-urls": peer,
		"initial-cluster":             "default=" + peer,
		// Nobody needs this state after the machine has crashed, and syncing it is most of what a write costs.
		"unsafe-no-fsync":   "true",
		"socket-reuse-port": "true", // see reservePorts
	}.with(c.options.EtcdFlags)
}

// apiServerFlags leave admission and authorization as a real cluster has them; all admission plugins that are on by
// default stay on, ServiceAccount among them.
func (c *ControlPlane) apiServerFlags() flags {
	return flags{
		"etcd-servers":        c.ports.etcd.url("http"),
		"bind-address":        loopback,
		"secure-port":         c.ports.apiServer.number(),
		"permit-port-sharing": "true", // see reservePorts
		// No pod runs, so nothing comes in by the Service `kubernetes`, whose endpoints may not be loopback addresses.
		"advertise-address":                loopback,
		"endpoint-reconciler-type":         "none",
		"service-cluster-ip-range":         "10.0.0.0/24",
		"authorization-mode":               "Node,RBAC",
		"allow-privileged":                 "true",
		"client-ca-file":                   c.pki.caFile(),
		"tls-cert-file":                    c.pki.servingCertFile(),
		"tls-private-key-file":             c.pki.servingKeyFile(),
		"service-account-issuer":           "https://kubernetes.default.svc.cluster.local",
		"service-account-key-file":         c.pki.serviceAccountKeyFile(),
		"service-account-signing-key-file": c.pki.serviceAccountKeyFile(),
	}.with(c.auditFlags()).with(c.options.APIServerFlags)
}

// controllers are those that what we test rests on. The others (nodes, volumes, certificates, autoscaling and more) would
// only take processor time from the tests: each starts informers of its own.
var controllers = []string{
	// What makes pods: each makes them in its own way, and the webhook meets them all.
	"deployment-controller", "replicaset-controller", "statefulset-controller", "daemonset-controller", "job-controller", "cronjob-controller",
	// What a pod needs before the API server takes it, and what it mounts: the service account and the cluster's CA.
	"serviceaccount-controller", "serviceaccount-token-controller", "root-ca-certificate-publisher-controller",
	// Deleting a workload or a namespace deletes what is in it.
	"garbage-collector-controller", "namespace-controller",
	// A Service's endpoints, a PodDisruptionBudget's status, the aggregated roles (view, edit, admin) and the types in a
	// ValidatingAdmissionPolicy's expressions, for what we install.
	"endpointslice-controller", "disruption-controller", "clusterrole-aggregation-controller", "validatingadmissionpolicy-status-controller",
}

func (c *ControlPlane) controllerManagerFlags(kubeconfig string) flags {
	return flags{
		"kubeconfig":                kubeconfig,
		"authentication-kubeconfig": kubeconfig,
		"authorization-kubeconfig":  kubeconfig,
		// Its own port is nobody's to ask, and the API server holds no CA of a front proxy to take over from there.
		"authentication-skip-lookup":       "true",
		"bind-address":                     loopback,
		"secure-port":                      c.ports.controllerManager.number(),
		"permit-port-sharing":              "true", // see reservePorts
		"tls-cert-file":                    c.pki.servingCertFile(),
		"tls-private-key-file":             c.pki.servingKeyFile(),
		"root-ca-file":                     c.pki.caFile(),
		"service-account-private-key-file": c.pki.serviceAccountKeyFile(),
		// Each controller comes as its own service account, as it does in a real cluster, and not as an administrator.
		"use-service-account-credentials": "true",
		// There is no second one to lead instead; the election would cost seconds.
		"leader-elect": "false",
		"controllers":  strings.Join(controllers, ","),
		// The default of 20 requests/s would be what a test with hundreds of pods measures (W5).
		"kube-api-qps":   "500",
		"kube-api-burst": "1000",
	}.with(c.options.ControllerManagerFlags)
}

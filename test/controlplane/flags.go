package controlplane

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// flags are a program's flags by name, without dashes.
type flags map[string]string

// with returns the flags together with others. The others override flags of the same name.
func (f flags) with(others map[string]string) flags {
	merged := maps.Clone(f)
	maps.Copy(merged, others)
	return merged
}

// args returns the flags as arguments, sorted by name.
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
		// Most of the time of a write goes into fsync. The state is not needed after a crash of the machine.
		"unsafe-no-fsync":   "true",
		"socket-reuse-port": "true", // see reservePorts
	}.with(c.options.EtcdFlags)
}

// apiServerFlags configure admission and authorization as in a real cluster. All default admission plugins are enabled,
// for example ServiceAccount. NodeRestriction is not among them, but kubeadm and other installers enable it: it limits
// what kubelets can do (fact P4).
func (c *ControlPlane) apiServerFlags() flags {
	return flags{
		"etcd-servers":        c.ports.etcd.url("http"),
		"bind-address":        loopback,
		"secure-port":         c.ports.apiServer.number(),
		"permit-port-sharing": "true", // see reservePorts
		// The endpoints of the Service `kubernetes` must not be loopback addresses. No pod runs that needs this
		// Service.
		"advertise-address":                loopback,
		"endpoint-reconciler-type":         "none",
		"service-cluster-ip-range":         "10.0.0.0/24",
		"authorization-mode":               "Node,RBAC",
		"enable-admission-plugins":         "NodeRestriction",
		"allow-privileged":                 "true",
		"client-ca-file":                   c.pki.caFile(),
		"tls-cert-file":                    c.pki.servingCertFile(),
		"tls-private-key-file":             c.pki.servingKeyFile(),
		"service-account-issuer":           "https://kubernetes.default.svc.cluster.local",
		"service-account-key-file":         c.pki.serviceAccountKeyFile(),
		"service-account-signing-key-file": c.pki.serviceAccountKeyFile(),
	}.with(c.auditFlags()).with(c.options.APIServerFlags)
}

// controllers returns the controllers that the tests need. The others, for example for nodes and volumes, would only
// use processor time, because each controller has its own informers.
func controllers() []string {
	return []string{
		// They create pods, each in a different way.
		"deployment-controller", "replicaset-controller", "statefulset-controller", "daemonset-controller",
		"job-controller", "cronjob-controller",
		// The API server requires a service account for each pod. Pods mount the cluster's CA.
		"serviceaccount-controller", "serviceaccount-token-controller", "root-ca-certificate-publisher-controller",
		// They delete the objects of a deleted workload or namespace.
		"garbage-collector-controller", "namespace-controller",
		// They complete objects of the installation: the endpoints of a Service, the status of a PodDisruptionBudget,
		// the aggregated roles (view, edit, admin), and the types of a ValidatingAdmissionPolicy.
		"endpointslice-controller", "disruption-controller", "clusterrole-aggregation-controller",
		"validatingadmissionpolicy-status-controller",
	}
}

func (c *ControlPlane) controllerManagerFlags(kubeconfig string) flags {
	return flags{
		"kubeconfig":                kubeconfig,
		"authentication-kubeconfig": kubeconfig,
		"authorization-kubeconfig":  kubeconfig,
		// The API server has no CA of a front proxy to look up, and no client calls this port.
		"authentication-skip-lookup":       "true",
		"bind-address":                     loopback,
		"secure-port":                      c.ports.controllerManager.number(),
		"permit-port-sharing":              "true", // see reservePorts
		"tls-cert-file":                    c.pki.servingCertFile(),
		"tls-private-key-file":             c.pki.servingKeyFile(),
		"root-ca-file":                     c.pki.caFile(),
		"service-account-private-key-file": c.pki.serviceAccountKeyFile(),
		// Each controller uses its own service account, as in a real cluster, and not the administrator's credentials.
		"use-service-account-credentials": "true",
		// There is only one controller manager. An election would take seconds.
		"leader-elect": "false",
		"controllers":  strings.Join(controllers(), ","),
		// client-go throttles by default (fact W5). In a test with hundreds of pods, only the limit would be measured.
		"kube-api-qps":   "500",
		"kube-api-burst": "1000",
	}.with(c.options.ControllerManagerFlags)
}

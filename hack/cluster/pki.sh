#!/usr/bin/env bash
# pki.sh FOLDER SERVER NODE writes the keys and certificates of a cluster to FOLDER. SERVER is the address of the API
# server, NODE the name of the node. FOLDER gets a CA, certificates, the keys that sign service account tokens, and a
# kubeconfig for each program and for the administrator.
set -euo pipefail

folder=$1 server=$2 node=$3
mkdir -p "$folder"
cd "$folder"
umask 077

# quietly runs openssl, and prints its messages only if it fails.
quietly() { openssl "$@" 2>openssl.log || { cat openssl.log >&2; exit 1; }; }

new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)

certificate() { # NAME SUBJECT EXTENSION...
  local name=$1 subject=$2
  shift 2
  printf '%s\n' "$@" >"$name.ext"
  quietly req -new "${new_key[@]}" -keyout "$name.key" -subj "$subject" -out "$name.csr"
  quietly x509 -req -in "$name.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile "$name.ext" \
    -out "$name.crt"
}

user() { # NAME SUBJECT: a client certificate, and the kubeconfig that uses it
  certificate "$1" "$2" extendedKeyUsage=clientAuth
  cat >"$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: kongdao
  cluster: {server: "https://$server:6443", certificate-authority-data: $(base64 -w0 ca.crt)}
users:
- name: $1
  user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}
contexts: [{name: kongdao, context: {cluster: kongdao, user: $1}}]
current-context: kongdao
YAML
}

quietly req -x509 "${new_key[@]}" -keyout ca.key -subj /CN=kongdao-cluster -days 30 -out ca.crt
names=IP:127.0.0.1,IP:10.96.0.1,IP:$server,DNS:localhost,DNS:kubernetes
for suffix in default default.svc default.svc.cluster.local; do names+=,DNS:kubernetes.$suffix; done
certificate apiserver /CN=kube-apiserver extendedKeyUsage=serverAuth "subjectAltName=$names"
certificate apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client extendedKeyUsage=clientAuth
user admin /O=system:masters/CN=admin
user controller-manager /CN=system:kube-controller-manager
user scheduler /CN=system:kube-scheduler
user proxy /CN=system:kube-proxy
user kubelet "/O=system:nodes/CN=system:node:$node"
quietly genrsa -out sa.key 2048
quietly rsa -in sa.key -pubout -out sa.pub
rm -f ./*.csr ./*.ext openssl.log

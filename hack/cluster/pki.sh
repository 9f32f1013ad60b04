#!/usr/bin/env bash
# pki.sh FOLDER SERVER NODE writes into FOLDER a CA, the certificates of a cluster whose API server listens at the
# address SERVER, the keys of its service accounts, and a kubeconfig for each of its programs and for the administrator.
set -euo pipefail

folder=$1 server=$2 node=$3
mkdir -p "$folder"
cd "$folder"
umask 077

# quietly shows what openssl says only when it fails.
quietly() { "$@" 2>openssl.log || { cat openssl.log >&2; exit 1; }; }

certificate() { # NAME SUBJECT EXTENSION...
  local name=$1 subject=$2
  shift 2
  printf '%s\n' "$@" >"$name.ext"
  quietly openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$name.key" -subj "$subject" -out "$name.csr"
  quietly openssl x509 -req -in "$name.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile "$name.ext" -out "$name.crt"
}

user() { # NAME SUBJECT: a client certificate, and the kubeconfig that uses it
  certificate "$1" "$2" extendedKeyUsage=clientAuth
  cat >"$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: kongdao, cluster: {server: "https://$server:6443", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$1.crt"), client-key-data: $(base64 -w0 "$1.key")}}]
contexts: [{name: kongdao, context: {cluster: kongdao, user: $1}}]
current-context: kongdao
YAML
}

quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -subj /CN=kongdao-cluster -days 30 -out ca.crt
names=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
certificate apiserver /CN=kube-apiserver extendedKeyUsage=serverAuth "subjectAltName=$names,IP:127.0.0.1,IP:10.96.0.1,IP:$server"
certificate apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client extendedKeyUsage=clientAuth
user admin /O=system:masters/CN=admin
user controller-manager /CN=system:kube-controller-manager
user scheduler /CN=system:kube-scheduler
user proxy /CN=system:kube-proxy
user kubelet "/O=system:nodes/CN=system:node:$node"
quietly openssl genrsa -out sa.key 2048
quietly openssl rsa -in sa.key -pubout -out sa.pub
rm -f ./*.csr ./*.ext openssl.log

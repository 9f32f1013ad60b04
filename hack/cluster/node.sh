#!/usr/bin/env bash
# node.sh STATE is the first process in the cluster's namespaces; up.sh starts it. It prepares the node, starts the
# programs of Kubernetes, and waits. It reports its progress in the folder STATE:
#
#   pid      the number of this process outside the namespaces, and its start time
#   cgroups  the control groups that it created
#   reached  the stages that it finished
#   failed   the stage that failed, and the reason
#   up       exists when pods can run
#   running  one file per program, with its process number inside the namespaces and its start time
#   restart  one file per program that must start again when it ends; restart.sh writes it
#   ended    programs that ended unexpectedly
set -Eeuo pipefail # with E, the ERR trap below also applies to functions

state=$1
here=$(cd "$(dirname "$0")" && pwd)
address=10.200.0.1 # up.sh and config/proxy.yaml use the same address
pki=/run/cluster/pki
declare -A running=()  # program name by process number
declare -A commands=() # command by program name, quoted for eval
# shellcheck source=hack/cluster/process.sh
source "$here/process.sh"

# This reads the machine's /proc, so the process number is the one outside the namespaces.
read -r line </proc/self/stat
read -r -a fields <<<"${line##*) }"
echo "${line%% *} ${fields[19]}" >"$state/pid"

fail() { # MESSAGE
  printf 'the cluster did not start: %s\n' "$1" >"$state/failed.part"
  mv "$state/failed.part" "$state/failed"
  exit 1 # the kernel then kills all other processes
}
trap 'fail "stage \"node\": line $LINENO of hack/cluster/node.sh failed, with this output:
$(last_lines node)"' ERR

last_lines() { tail -n 15 "$state/log/$1.log" | cut -c 1-300; }

# describe_end PROGRAM STATUS prints how a program ended.
describe_end() { printf '%s ended with exit status %s and this output:\n%s\n' "$1" "$2" "$(last_lines "$1")"; }

start() { # COMMAND...
  commands[$1]=$(printf '%q ' "$@")
  "$@" >>"$state/log/$1.log" 2>&1 </dev/null &
  running[$!]=$1
  echo "$! $(start_time $!)" >"$state/running/$1"
}

# stage NAME PROGRAM COMMAND... waits until COMMAND succeeds. PROGRAM must make it succeed.
stage() {
  local name=$1 program=$2 pid status deadline=$((SECONDS + 90))
  shift 2
  until "$@" >"$state/log/check.log" 2>&1; do
    for pid in "${!running[@]}"; do
      kill -0 "$pid" 2>/dev/null && continue
      status=0
      wait "$pid" || status=$?
      fail "stage \"$name\": $(describe_end "${running[$pid]}" "$status")"
    done
    ((SECONDS < deadline)) || fail "stage \"$name\": not ready after 90s, last answer: $(last_lines check)
last output of $program:
$(last_lines "$program")"
    sleep 0.1
  done
  echo "$name" >>"$state/reached"
}

# mount_folders mounts separate folders, so the programs can use their default paths without writing to the machine's.
mount_folders() {
  mount -t proc proc /proc
  mount --make-rshared / # containers must see kubelet's mounts
  local folder
  for folder in /run /var/log; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
  mkdir -p /run/lib/upper /run/lib/work /run/cluster
  mount -t overlay -o lowerdir=/var/lib,upperdir=/run/lib/upper,workdir=/run/lib/work overlay /var/lib
  mount --bind "$state" /run/cluster
  for folder in kubelet containerd etcd; do
    mkdir -p "$state/$folder" "/var/lib/$folder"
    mount --bind "$state/$folder" "/var/lib/$folder"
  done
  # kubelet sets these sysctls of the machine. Files with the right values hide them, so kubelet changes nothing.
  local sysctl
  mkdir /run/sysctl
  for sysctl in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1; do
    folder=${sysctl%=*}
    echo "${sysctl#*=}" >"/run/sysctl/${folder#*/}"
    mount --bind "/run/sysctl/${folder#*/}" "/proc/sys/$folder"
  done
}

# create_cgroups creates the control group of all pods: one per controller (version 1), or one for all (version 2).
create_cgroups() {
  local name group hierarchies=(/sys/fs/cgroup)
  name=kongdao-$(cksum <<<"$state" | cut -d' ' -f1)
  if [[ -f /sys/fs/cgroup/cgroup.controllers ]]; then
    echo "+cpu +cpuset +memory +pids" >/sys/fs/cgroup/cgroup.subtree_control
  else
    hierarchies=(/sys/fs/cgroup/*/)
  fi
  for group in "${hierarchies[@]}"; do
    [[ ! -L ${group%/} ]] || continue # on some machines, cpu is a link to cpu,cpuacct
    group=${group%/}/$name
    echo "$group" >>"$state/cgroups"
    mkdir -p "$group"
  done
  sed -i "s#CGROUP#/$name#" /run/cluster/config/kubelet.yaml
}

# create_network creates the bridge with the node's address. A bridge without a link is down, so it gets a veth pair.
create_network() {
  ip link set lo up
  ip link add node0 type bridge
  ip link add link0 type veth peer name link1
  ip link set link0 master node0
  ip address add "$address/24" dev node0
  local link
  for link in node0 link0 link1; do ip link set "$link" up; done
  ip route add default dev node0
  echo 1 >/proc/sys/net/ipv4/ip_forward
}

control_plane() {
  start etcd --data-dir /var/lib/etcd/data --unsafe-no-fsync --listen-peer-urls http://127.0.0.1:2380 \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379
  start kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --advertise-address="$address" \
    --service-cluster-ip-range=10.96.0.0/16 --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --allow-privileged=true --client-ca-file="$pki/ca.crt" \
    --audit-policy-file=/run/cluster/config/audit.yaml --audit-log-path=/run/cluster/log/audit.log \
    --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --kubelet-client-certificate="$pki/apiserver-kubelet.crt" --kubelet-client-key="$pki/apiserver-kubelet.key" \
    --kubelet-preferred-address-types=InternalIP --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key"
  start containerd -c /run/cluster/config/containerd.toml
  stage "etcd and kube-apiserver" kube-apiserver kubectl get --raw /readyz

  local config=$pki/controller-manager.kubeconfig
  start kube-controller-manager --leader-elect=false --use-service-account-credentials --bind-address=127.0.0.1 \
    --kubeconfig="$config" --authentication-kubeconfig="$config" --authorization-kubeconfig="$config" \
    --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" \
    --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key"
  config=$pki/scheduler.kubeconfig
  start kube-scheduler --leader-elect=false --bind-address=127.0.0.1 \
    --kubeconfig="$config" --authentication-kubeconfig="$config" --authorization-kubeconfig="$config"
}

# node_ready succeeds when pods can be scheduled. kube-controller-manager removes the taint a moment after Ready.
node_ready() {
  [[ $(kubectl get node node1 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}{.spec.taints}') == True ]]
}

worker() {
  stage containerd containerd ctr version
  local image
  for image in /run/cluster/images/*.tar; do ctr images import "$image"; done
  start kubelet --config=/run/cluster/config/kubelet.yaml --kubeconfig="$pki/kubelet.kubeconfig" \
    --hostname-override=node1 --node-ip="$address"
  start kube-proxy --config=/run/cluster/config/proxy.yaml
  stage kube-controller-manager kube-controller-manager kubectl get serviceaccount default -n default
  stage kube-proxy kube-proxy nft list table ip kube-proxy
  stage "kubelet and containerd" kubelet node_ready
}

export PATH=$state/programs:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export KUBECONFIG=$pki/admin.kubeconfig KUBECACHEDIR=/run/kubecache CONTAINERD_NAMESPACE=k8s.io
cp -r "$here/config" "$state/config"
mkdir "$state/running" "$state/restart"
: >"$state/resolv.conf" # the cluster has no DNS server

mount_folders
create_cgroups
create_network
control_plane
worker
touch "$state/up"

trap - ERR
set +e
while :; do
  wait -n -p pid
  status=$?
  [[ -n ${pid:-} ]] || break
  program=${running[$pid]}
  unset "running[$pid]"
  if rm "$state/restart/$program" 2>/dev/null; then
    eval "start ${commands[$program]}"
  else
    describe_end "$program" "$status" >>"$state/ended"
  fi
done

#!/usr/bin/env bash
# build.sh [PROGRAM...] builds etcd, kube-apiserver, kube-controller-manager and kubectl, or the programs named, of the
# Kubernetes release that go.mod names, and prints the folder that holds them (progress goes to stderr). What is built
# already is not built again.
#
#   KONGDAO_CACHE       where built programs are kept (default: ${XDG_CACHE_HOME:-$HOME/.cache}/kongdao)
#   KUBEBUILDER_ASSETS  a folder with programs of your own: whichever of those asked for are there are taken as they are.
#                       When some are missing, those are built, and the folder printed holds links to the one and the
#                       other.
set -euo pipefail

assets=${KUBEBUILDER_ASSETS:-}
if [[ -n $assets ]] && ! assets=$(cd "$assets" 2>/dev/null && pwd); then
  echo "KUBEBUILDER_ASSETS is $KUBEBUILDER_ASSETS, which is no folder: unset it, and the programs are built" >&2
  exit 1
fi

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=hack/build-lib.sh
source ../build-lib.sh

# In this order each program compiles only what the ones before it did not; the times are those of two cores.
known=(etcd kube-apiserver kube-controller-manager kubectl kube-scheduler kube-proxy kubelet)
programs=("$@")
(($# > 0)) || programs=("${known[@]:0:4}") # a control plane's: what `make test` and `make demo` run
for program in "${programs[@]}"; do
  [[ " ${known[*]} " == *" $program "* ]] || die "there is no program $program: build.sh builds ${known[*]}"
done
package_of() { case $1 in etcd) echo go.etcd.io/etcd/server/v3 ;; *) echo "k8s.io/kubernetes/cmd/$1" ;; esac }
time_of() { case $1 in kube-apiserver) echo "3 to 5 minutes" ;; kubelet) echo "about 2 minutes" ;; *) echo "about 1 minute" ;; esac }
supplied() { [[ -n $assets && -x $assets/$1 ]]; }

missing=()
for program in "${programs[@]}"; do supplied "$program" || missing+=("$program"); done
if ((${#missing[@]} == 0)); then
  echo "$assets"
  exit
fi

version=$(sed -n -E 's#^[[:space:]]*(require )?k8s\.io/kubernetes v([0-9.]+).*#\2#p' go.mod)
[[ -n $version ]] || die "hack/kubernetes/go.mod names no k8s.io/kubernetes: run hack/kubernetes/module.sh VERSION"

# The linker makes the programs say their release: a module's source carries none.
IFS=. read -r major minor _ <<<"$version"
stamp="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  stamp+=" -X $package.gitVersion=v$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
  stamp+=" -X $package.gitTreeState=archive"
done

folder=$(cache_folder "kubernetes-$version-$(host_platform)")
only_builder "$folder"
step=0
for program in "${missing[@]}"; do
  step=$((step + 1))
  [[ -x $folder/$program ]] && continue
  go_program "[$step/${#missing[@]}] $program" "$(time_of "$program") on two cores" "$folder/$program" \
    "$(package_of "$program")" -ldflags "$stamp"
done

if ((${#missing[@]} < ${#programs[@]})); then
  links=$folder/with-$(cksum <<<"$assets" | cut -d' ' -f1)
  mkdir -p "$links"
  for program in "${programs[@]}"; do
    if supplied "$program"; then home=$assets; else home=$folder; fi
    ln -sf "$home/$program" "$links/$program"
  done
  folder=$links
fi
echo "$folder"

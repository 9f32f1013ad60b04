#!/usr/bin/env bash
# build.sh [PROGRAM...] builds programs of the Kubernetes release that go.mod names: by default etcd, kube-apiserver,
# kube-controller-manager and kubectl. It prints the folder that holds them; progress goes to stderr. It builds only
# what is not in the cache.
#
#   KONGDAO_CACHE       where built programs are kept (default: ${XDG_CACHE_HOME:-$HOME/.cache}/kongdao)
#   KUBEBUILDER_ASSETS  a folder with your own programs. build.sh uses the ones that it finds there, and builds the
#                       others. It then prints a folder with links to both.
set -euo pipefail

assets=${KUBEBUILDER_ASSETS:-}
if [[ -n $assets ]] && ! assets=$(cd "$assets" 2>/dev/null && pwd); then
  echo "KUBEBUILDER_ASSETS is '$KUBEBUILDER_ASSETS', but this folder does not exist: unset it to build the programs" >&2
  exit 1
fi

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=hack/build-lib.sh
source ../build-lib.sh

# In this order, each program compiles only the packages that the programs before it do not use.
known=(etcd kube-apiserver kube-controller-manager kubectl kube-scheduler kube-proxy kubelet)
programs=("$@")
(($# > 0)) || programs=("${known[@]:0:4}") # the control plane for `make test` and `make demo`
for program in "${programs[@]}"; do
  [[ " ${known[*]} " == *" $program "* ]] || die "unknown program '$program': build.sh builds ${known[*]}"
done
package_of() { case $1 in etcd) echo go.etcd.io/etcd/server/v3 ;; *) echo "k8s.io/kubernetes/cmd/$1" ;; esac }
duration_of() {
  case $1 in
    kube-apiserver) echo "3 to 5 minutes on two cores" ;;
    kubelet) echo "about 2 minutes on two cores" ;;
    *) echo "about 1 minute on two cores" ;;
  esac
}
in_assets() { [[ -n $assets && -x $assets/$1 ]]; }

missing=()
for program in "${programs[@]}"; do in_assets "$program" || missing+=("$program"); done
if ((${#missing[@]} == 0)); then
  echo "$assets"
  exit
fi

version=$(sed -n -E 's#^[[:space:]]*(require )?k8s\.io/kubernetes v([0-9.]+).*#\2#p' go.mod)
[[ -n $version ]] || die "hack/kubernetes/go.mod does not name k8s.io/kubernetes: run hack/kubernetes/module.sh VERSION"

# The linker stamps the version into the programs, because the module's source does not contain it.
IFS=. read -r major minor _ <<<"$version"
ldflags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  ldflags+=" -X $package.gitVersion=v$version -X $package.gitMajor=$major -X $package.gitMinor=$minor"
  ldflags+=" -X $package.gitTreeState=archive"
done

folder=$(cache_folder "kubernetes-$version-$(host_platform)")
lock_folder "$folder" "${missing[@]}"
step=0
for program in "${missing[@]}"; do
  step=$((step + 1))
  [[ -x $folder/$program ]] && continue
  build_program "[$step/${#missing[@]}] $program" "$(duration_of "$program")" "$folder/$program" \
    "$(package_of "$program")" -ldflags "$ldflags"
done

if ((${#missing[@]} < ${#programs[@]})); then
  links=$folder/with-$(cksum <<<"$assets" | cut -d' ' -f1)
  mkdir -p "$links"
  for program in "${programs[@]}"; do
    if in_assets "$program"; then origin=$assets; else origin=$folder; fi
    ln -sf "$origin/$program" "$links/$program"
  done
  folder=$links
fi
echo "$folder"

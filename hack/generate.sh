#!/usr/bin/env bash
# generate.sh makes what is made of something else: of the types in pkg/apis their copying code and, in the chart, their
# CRDs; of deploy/helm/kongdao its README.md, by the comments in values.yaml, and deploy/kustomize/base, which is the
# chart rendered with its default values. With --check it changes nothing, shows what is stale, and fails if anything is.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=hack/build-lib.sh
source hack/build-lib.sh

apis=pkg/apis/v1alpha1
chart=deploy/helm/kongdao
base=deploy/kustomize/base
case ${1:-} in
  "" | --check) ;;
  *) die "generate.sh $1: there is only --check" ;;
esac

tools=$(hack/tools/build.sh helm helm-docs controller-gen)
made=$(mktemp -d)
trap 'rm -rf "$made"; clean_up' EXIT
mkdir -p "$made/rendered" "$made/$chart" "$made/$base" "$made/$apis"

"$tools/controller-gen" object paths="./$apis" output:object:dir="$made/$apis"
"$tools/controller-gen" crd paths="./$apis" output:crd:dir="$made/$chart/files/crds"

"$tools/helm-docs" --chart-search-root "$chart" --sort-values-order file --dry-run --log-level warning >"$made/$chart/README.md"
[[ -s $made/$chart/README.md ]] || die "helm-docs made nothing of $chart: what it said is above"
if grep -F '|  |' "$made/$chart/README.md" >&2; then
  die "$chart/values.yaml: the values above have no comment that begins with '# -- ' and has no second ' --'"
fi

# The chart as it will be.
cp -r "$chart" "$made/rendered/chart"
rm -rf "$made/rendered/chart/files/crds"
cp -r "$made/$chart/files/crds" "$made/rendered/chart/files/crds"
"$tools/helm" template kongdao "$made/rendered/chart" --namespace kongdao-system --skip-tests --output-dir "$made/rendered" >/dev/null
header="# Made of $chart by \`make generate\`: change it there."
resources=(namespace.yaml)
cat >"$made/$base/namespace.yaml" <<END
$header
apiVersion: v1
kind: Namespace
metadata:
  name: kongdao-system
  labels:
    pod-security.kubernetes.io/enforce: restricted
END
for file in "$made"/rendered/kongdao/templates/*.yaml; do
  resources+=("$(basename "$file")")
  # Without Helm nothing is managed by it; which template an object is of, the file's name says; and Helm ends objects by
  # empty lines.
  {
    echo "$header"
    sed -E '/^# Source: |^ *(helm\.sh\/chart|app\.kubernetes\.io\/managed-by): /d' "$file" |
      awk '/^$/ {empty = 1; next} NR == 1 && /^---$/ {next} {if (empty && !/^---$/) print ""; empty = 0; print}'
  } >"$made/$base/$(basename "$file")"
done
{
  echo "$header"
  printf '%s\n' "apiVersion: kustomize.config.k8s.io/v1beta1" "kind: Kustomization" "resources:"
  printf -- '  - %s\n' "${resources[@]}"
} >"$made/$base/kustomization.yaml"

if [[ ${1:-} == --check ]]; then
  stale=0
  for path in "$apis/zz_generated.deepcopy.go" "$chart/files/crds" "$chart/README.md" "$base"; do
    diff -ruN "$path" "$made/$path" || stale=1
  done
  ((stale == 0)) || die "what is made of $apis and $chart is stale: run 'make generate' and commit it"
  exit
fi
cp "$made/$apis/zz_generated.deepcopy.go" "$apis/"
rm -rf "$chart/files/crds"
cp -r "$made/$chart/files/crds" "$chart/files/crds"
cp "$made/$chart/README.md" "$chart/README.md"
rm -rf "$base"
mkdir -p "$base"
cp "$made/$base"/* "$base/"

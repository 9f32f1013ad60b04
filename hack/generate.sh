#!/usr/bin/env bash
# generate.sh [--check] writes the generated files:
#
#   pkg/apis/*/zz_generated.*   deep-copy functions of the API types
#   files/crds in the chart     CRDs of the API types
#   README.md in the chart      values and their comments in values.yaml
#   deploy/kustomize/base       the chart, rendered with its default values
#   docs/rules.md               the rules of the checks
#
# With --check it changes nothing. It prints a diff of the files that are out of date, and fails if there are any.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=hack/build-lib.sh
source hack/build-lib.sh

apis=pkg/apis/v1alpha1
chart=deploy/helm/kongdao
base=deploy/kustomize/base
case ${1:-} in
  "" | --check) ;;
  *) die "unknown argument '$1': usage: generate.sh [--check]" ;;
esac

tools=$(hack/tools/build.sh helm helm-docs controller-gen)
generated=$(mktemp -d)
trap 'rm -rf "$generated"; clean_up' EXIT
mkdir -p "$generated/rendered" "$generated/$chart" "$generated/$base" "$generated/$apis"

"$tools/controller-gen" object paths="./$apis" output:object:dir="$generated/$apis"
"$tools/controller-gen" crd paths="./$apis" output:crd:dir="$generated/$chart/files/crds"

"$tools/helm-docs" --chart-search-root "$chart" --sort-values-order file --dry-run --log-level warning \
  >"$generated/$chart/README.md"
[[ -s $generated/$chart/README.md ]] || die "helm-docs wrote nothing for $chart: see its output above"
if grep -F '|  |' "$generated/$chart/README.md" >&2; then
  die "$chart/values.yaml: the values above have no description: add a comment that begins with '# -- '"
fi

# Render the chart with the new CRDs.
cp -r "$chart" "$generated/rendered/chart"
rm -rf "$generated/rendered/chart/files/crds"
cp -r "$generated/$chart/files/crds" "$generated/rendered/chart/files/crds"
"$tools/helm" template kongdao "$generated/rendered/chart" --namespace kongdao-system --skip-tests \
  --output-dir "$generated/rendered" >/dev/null
header="# Generated from $chart by \`make generate\`. Do not edit."
resources=(namespace.yaml)
cat >"$generated/$base/namespace.yaml" <<END
$header
apiVersion: v1
kind: Namespace
metadata:
  name: kongdao-system
  labels:
    pod-security.kubernetes.io/enforce: restricted
END
templates=$generated/rendered/kongdao/templates
while read -r file; do
  name=${file#"$templates"/}
  resources+=("$name")
  mkdir -p "$(dirname "$generated/$base/$name")"
  # Remove what only Helm uses: its labels, the comments with template names, and empty lines at the end of objects.
  {
    echo "$header"
    sed -E '/^# Source: |^ *(helm\.sh\/chart|app\.kubernetes\.io\/managed-by): /d' "$file" |
      awk '/^$/ {empty = 1; next} NR == 1 && /^---$/ {next} {if (empty && !/^---$/) print ""; empty = 0; print}'
  } >"$generated/$base/$name"
done < <(find "$templates" -name '*.yaml' | LC_ALL=C sort)
{
  echo "$header"
  printf '%s\n' "apiVersion: kustomize.config.k8s.io/v1beta1" "kind: Kustomization" "resources:"
  printf -- '  - %s\n' "${resources[@]}"
} >"$generated/$base/kustomization.yaml"

mkdir -p "$generated/docs"
go run ./hack/rules >"$generated/docs/rules.md"

if [[ ${1:-} == --check ]]; then
  stale=0
  for path in "$apis/zz_generated.deepcopy.go" "$chart/files/crds" "$chart/README.md" "$base" docs/rules.md; do
    diff -ruN "$path" "$generated/$path" || stale=1
  done
  ((stale == 0)) || die "generated files are out of date, see the diff above: run 'make generate' and commit them"
  exit
fi
cp "$generated/$apis/zz_generated.deepcopy.go" "$apis/"
rm -rf "$chart/files/crds"
cp -r "$generated/$chart/files/crds" "$chart/files/crds"
cp "$generated/$chart/README.md" "$chart/README.md"
cp "$generated/docs/rules.md" docs/rules.md
rm -rf "$base"
mkdir -p "$base"
cp -r "$generated/$base"/. "$base/"

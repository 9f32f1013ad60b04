#!/usr/bin/env bash
# lint.sh checks everything that needs no test run: Go code, modules, scripts, YAML, the Helm chart, generated files and
# language. It prints the findings of all checks before it fails.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
failed=()
check() { # LABEL COMMAND...
  local label=$1
  shift
  echo "== $label"
  "$@" || failed+=("$label")
}
files() { find . -path ./.git -prune -o -path ./bin -prune -o -type f "$@" -print | sort; }

# require PROGRAM... installs missing programs. Each one is in a Debian package of the same name.
require() {
  local program missing=()
  for program in "$@"; do command -v "$program" >/dev/null || missing+=("$program"); done
  ((${#missing[@]} == 0)) || hack/deb.sh "${missing[@]}"
}

# hack/certmanager is compiled with the flags of its build.sh, so that both use the same build cache.
golangci() {
  local tools config=$PWD/.golangci.yml status=0
  tools=$(hack/tools/build.sh golangci-lint) || return
  "$tools/golangci-lint" run ./... || status=1
  (cd hack/certmanager && GOFLAGS=-trimpath CGO_ENABLED=0 "$tools/golangci-lint" run -c "$config" ./...) || status=1
  return $status
}

tidy() {
  local folder status=0
  for folder in . hack/certmanager hack/kubernetes hack/tools hack/vale; do
    (cd "$folder" && go mod tidy -diff) || {
      echo "$folder/go.mod is not tidy: run 'go mod tidy' there"
      status=1
    }
  done
  return $status
}

shell() {
  local scripts=(.ci/run) script
  while read -r script; do scripts+=("$script"); done < <(files -name '*.sh')
  require shellcheck && shellcheck --external-sources "${scripts[@]}"
}

# Helm templates are not YAML before they are rendered, so the chart's tests check them. Helm does not indent lists in
# the values that it renders, so both styles are allowed.
yaml() {
  local documents=(.golangci.yml) document
  local rules='{extends: relaxed, rules: {line-length: disable, indentation: {indent-sequences: whatever}}}'
  while read -r document; do documents+=("$document"); done < <(
    files -path './deploy/*' ! -path '*/templates/*' \( -name '*.yaml' -o -name '*.yml' \)
  )
  require yamllint && yamllint --strict -d "$rules" "${documents[@]}"
}

# chart checks the chart with its default values, and with each set of values in its folder ci.
chart() {
  local tools values
  tools=$(hack/tools/build.sh helm) || return
  "$tools/helm" lint --strict --quiet deploy/helm/kongdao || return
  for values in deploy/helm/kongdao/ci/*.yaml; do
    "$tools/helm" lint --strict --quiet --values "$values" deploy/helm/kongdao || return
  done
}

check "modules" tidy
check "scripts" shell
check "YAML" yaml
check "Helm chart" chart
check "generated files" hack/generate.sh --check
check "language" hack/prose.sh
check "Go" golangci
if ((${#failed[@]} > 0)); then
  printf -v labels ', %s' "${failed[@]}"
  echo "lint: failed: ${labels:2}" >&2
  exit 1
fi

#!/usr/bin/env bash
# lint.sh checks what can be checked without running it: Go, modules, scripts, YAML, the Helm chart and what is made of
# it. It tells of everything that it finds, and only then fails.
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

# have PROGRAM...: each is a Debian package of its own name.
have() {
  local program missing=()
  for program in "$@"; do command -v "$program" >/dev/null || missing+=("$program"); done
  ((${#missing[@]} == 0)) || hack/deb.sh "${missing[@]}"
}

# The second module is compiled as hack/certmanager/build.sh compiles it, so that either finds what the other has built.
golangci() {
  local tools config=$PWD/.golangci.yml status=0
  tools=$(hack/tools/build.sh golangci-lint) || return
  "$tools/golangci-lint" run ./... || status=1
  (cd hack/certmanager && GOFLAGS=-trimpath CGO_ENABLED=0 "$tools/golangci-lint" run --config "$config" ./...) || status=1
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
  have shellcheck && shellcheck --external-sources "${scripts[@]}"
}

# Helm's templates are no YAML before they are rendered; the chart's own tests render them. What Helm prints of values
# has lists that are not indented.
yaml() {
  local documents=(.golangci.yml) document
  while read -r document; do documents+=("$document"); done < <(files -path './deploy/*' ! -path '*/templates/*' \( -name '*.yaml' -o -name '*.yml' \))
  have yamllint && yamllint --strict -d '{extends: relaxed, rules: {line-length: disable, indentation: {indent-sequences: whatever}}}' "${documents[@]}"
}

# With the default values, and with each set that the chart's tests render.
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
check "Go" golangci
if ((${#failed[@]} > 0)); then
  echo "lint: failed: ${failed[*]}" >&2
  exit 1
fi

# shellcheck shell=bash
# packages.sh has the functions that unpack Debian packages with their dependencies into a folder. build.sh sources it.
# apt-get uses its own state in the cache. So nothing is installed on this machine, and its package lists do not change.

# Packages that other packages depend on, but that a container does not need: package management, documentation, setup
# tools, translations, perl for Debian's wrappers, and LLVM for PostgreSQL's JIT compiler.
excluded_packages=(
  adduser debconf dpkg init-system-helpers libc-l10n libllvm14 libz3-4 locales lsb-base netbase openssl passwd
  'perl.*' 'lib.*-perl' 'libperl.*' postgresql-common postgresql-client-common 'libgdbm.*' sensible-utils ssl-cert
  sysvinit-utils tzdata-legacy ucf usrmerge 'libsemanage.*' 'libsepol.*' readline-common
)
excluded_pattern="^($(IFS='|' && echo "${excluded_packages[*]}"))$"

# run_apt STATE COMMAND... runs a command of apt with its state in the folder STATE.
run_apt() {
  local state=$1 command=$2
  shift 2
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  : >"$state/status"
  "$command" -qq -o "Dir::State::status=$state/status" -o "Dir::State::lists=$state/lists" \
    -o "Dir::Cache=$state/cache" -o APT::Install-Recommends=false -o APT::Sandbox::User=root "$@" </dev/null
}

# resolve_packages STATE PACKAGE... prints the packages and their dependencies as NAME=VERSION. This takes some seconds,
# so the result is stored until the package lists change.
resolve_packages() {
  local state=$1 plan
  shift
  plan=$state/plan-$({ echo "$excluded_pattern" "$@" && stat -c '%n %Y' "$state"/lists/*; } | sha256sum | cut -c1-16)
  if [[ ! -s $plan ]]; then
    run_apt "$state" apt-get -s install "$@" >"$plan.part" || return
    awk -v excluded="$excluded_pattern" '
      $1 == "Inst" && $2 !~ excluded { version = $3; sub(/^\(/, "", version); print $2 "=" version }
    ' "$plan.part" >"$plan"
  fi
  cat "$plan"
}

# fetch_package_lists STATE downloads the package lists.
fetch_package_lists() {
  log "fetching Debian's package lists"
  run_apt "$1" apt-get update >&2 ||
    die "cannot fetch Debian's package lists: check the network, and see the output of apt-get above"
}

# unpack_packages STATE ROOT PACKAGE=VERSION... unpacks packages into the folder ROOT. It downloads those that are not
# in STATE.
unpack_packages() {
  local state=$1 root=$2 package archive
  shift 2
  mkdir -p "$state/debs" "$root"
  local missing=()
  for package in "$@"; do
    compgen -G "$(archive_pattern "$state" "$package")" >/dev/null || missing+=("$package")
  done
  if ((${#missing[@]} > 0)); then
    log "downloading ${#missing[@]} Debian packages"
    (cd "$state/debs" && run_apt "$state" apt-get download "${missing[@]}" >&2) || return
  fi
  # These links exist on an installed Debian. Without them, /bin and /lib would be separate folders.
  mkdir -p "$root"/usr/{bin,sbin,lib,lib64}
  ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root/"
  for package in "$@"; do
    for archive in $(compgen -G "$(archive_pattern "$state" "$package")"); do
      dpkg-deb --fsys-tarfile "$archive" | tar -x -C "$root" --keep-directory-symlink --no-same-owner
    done
  done
}

# archive_pattern STATE PACKAGE=VERSION prints a glob pattern for the package's file. In the file name, apt-get writes
# ':' as %3a.
archive_pattern() {
  local version=${2#*=}
  echo "$1/debs/${2%%=*}_${version//:/%3a}_*.deb"
}

# slim_root ROOT removes files that no program reads, and writes the users and groups.
slim_root() {
  local root=$1
  rm -rf "$root"/usr/share/{doc,man,info,locale,lintian,bug,bash-completion,menu,pixmaps,common-licenses,perl5} \
    "$root"/usr/share/{doc-base,gcc,gdb,applications,sysfsutils} \
    "$root"/usr/lib/*/{gconv,perl5} "$root"/var/{cache,lib}/* "$root"/usr/lib/locale/C.utf8 "$root"/usr/lib/*/audit
  mkdir -p "$root"/{tmp,dev,proc,sys,opt} "$root/var/lib" "$root/root"
  chmod 1777 "$root/tmp"
  rm -rf "$root/var/run" "$root/run"
  mkdir -p "$root/run"
  ln -s ../run "$root/var/run"
  cat >"$root/etc/passwd" <<'USERS'
root:x:0:0:root:/root:/bin/sh
postgres:x:999:999:postgres:/var/lib/postgresql:/bin/sh
kong:x:1000:1000:kong:/usr/local/kong:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
USERS
  printf '%s\n' root:x:0: postgres:x:999: kong:x:1000: nogroup:x:65534: >"$root/etc/group"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
  printf '%s\n' 'hosts: files dns' 'passwd: files' 'group: files' 'services: files' >"$root/etc/nsswitch.conf"
}

# check_libraries ROOT PROGRAM... fails if a shared library of the programs is not in ROOT.
check_libraries() {
  local root=$1 loader program output
  shift
  loader=$(cd "$root" && find usr/lib64 usr/lib -maxdepth 1 -name 'ld-linux-*' | head -n 1)
  for program in "$@"; do
    output=$(chroot "$root" "/$loader" --list "$program" 2>&1) || true
    ! grep 'not found' <<<"$output" >&2 || die "$program needs a library that excluded_packages removes: see above"
  done
}

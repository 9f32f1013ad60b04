# shellcheck shell=bash
# packages.sh is sourced by build.sh: Debian packages, with what they depend on, unpacked into a folder. apt-get works on
# a state of its own in the cache, so that nothing is installed here and this machine's own lists stay as they are.

# What a container has no use for, though something depends on it: tools of package management, documentation's and
# setup's, translations, perl for Debian's own wrappers, and LLVM with which PostgreSQL compiles expressions.
left_out='^(adduser|debconf|dpkg|init-system-helpers|libc-l10n|libllvm14|libz3-4|locales|lsb-base|netbase|openssl|passwd|perl.*|lib.*-perl|libperl.*|postgresql-common|postgresql-client-common|libgdbm.*|sensible-utils|ssl-cert|sysvinit-utils|tzdata-legacy|ucf|usrmerge|libsemanage.*|libsepol.*|readline-common)$'

# apt STATE COMMAND... runs a command of apt's with its state in the folder STATE.
apt() {
  local state=$1 command=$2
  shift 2
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  : >"$state/status"
  "$command" -qq -o "Dir::State::status=$state/status" -o "Dir::State::lists=$state/lists" -o "Dir::Cache=$state/cache" \
    -o APT::Install-Recommends=false -o APT::Sandbox::User=root "$@" </dev/null
}

# closure STATE PACKAGE... prints the packages and what they depend on, as NAME=VERSION. Planning takes apt-get seconds, so
# that plans are kept for as long as the lists are the same.
closure() {
  local state=$1 plan
  shift
  plan=$state/plan-$({ echo "$left_out" "$@" && stat -c '%n %Y' "$state"/lists/*; } | sha256sum | cut -c1-16)
  if [[ ! -s $plan ]]; then
    apt "$state" apt-get -s install "$@" >"$plan.part" || return
    awk -v left_out="$left_out" '$1 == "Inst" && $2 !~ left_out { version = $3; sub(/^\(/, "", version); print $2 "=" version }' \
      "$plan.part" >"$plan"
  fi
  cat "$plan"
}

# refresh STATE fetches the lists of packages.
refresh() {
  log "fetching Debian's lists of packages"
  apt "$1" apt-get update >&2 || die "cannot fetch Debian's lists of packages: see apt-get's output above (is there a network?)"
}

# unpack STATE ROOT PACKAGE=VERSION... downloads those that are not there yet, and unpacks all into ROOT.
unpack() {
  local state=$1 root=$2 package archive
  shift 2
  mkdir -p "$state/debs" "$root"
  local missing=()
  for package in "$@"; do
    compgen -G "$(archive_of "$state" "$package")" >/dev/null || missing+=("$package")
  done
  if ((${#missing[@]} > 0)); then
    log "downloading ${#missing[@]} packages of Debian's"
    (cd "$state/debs" && apt "$state" apt-get download "${missing[@]}" >&2) || return
  fi
  # As on an installed Debian; else /bin and /lib would be folders of their own.
  mkdir -p "$root"/usr/{bin,sbin,lib,lib64}
  ln -s usr/bin usr/sbin usr/lib usr/lib64 "$root/"
  for package in "$@"; do
    for archive in $(compgen -G "$(archive_of "$state" "$package")"); do
      dpkg-deb --fsys-tarfile "$archive" | tar -x -C "$root" --keep-directory-symlink --no-same-owner
    done
  done
}

# archive_of STATE PACKAGE=VERSION prints a pattern for the package's file, in whose name apt-get writes ':' as %3a.
archive_of() {
  local version=${2#*=}
  echo "$1/debs/${2%%=*}_${version//:/%3a}_*.deb"
}

# slim ROOT removes what no program reads.
slim() {
  local root=$1
  rm -rf "$root"/usr/share/{doc,man,info,locale,lintian,bug,bash-completion,menu,pixmaps,common-licenses,perl5,doc-base,gcc,gdb,applications,sysfsutils} \
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

# linked ROOT PROGRAM... fails when a library of the programs is not in ROOT.
linked() {
  local root=$1 loader program out
  shift
  loader=$(cd "$root" && find usr/lib64 usr/lib -maxdepth 1 -name 'ld-linux-*' | head -n 1)
  for program in "$@"; do
    out=$(chroot "$root" "/$loader" --list "$program" 2>&1) || true
    ! grep 'not found' <<<"$out" >&2 || die "$program lacks a library: take its package out of left_out"
  done
}

#!/usr/bin/env bash
# build.sh prints the paths of two images, in the form of `ctr images import` and `docker load`, one a line:
# kongdao.io/test/kong:3.9, a stand-in for Kong (README.md says what it is not), and kongdao.io/test/postgres:15. It makes
# them of Debian's packages, without a daemon or a registry, when they are not in the cache yet. `build.sh --roots` prints
# the folders instead that the images are made of, for chroot.
set -euo pipefail
# The images' files are for every user, whatever this one's habits are.
umask 022

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=hack/build-lib.sh
source ../../hack/build-lib.sh
# shellcheck source=test/kong/image/packages.sh
source image/packages.sh

kong_packages=(bash coreutils dash debianutils diffutils findutils grep gzip hostname libc-bin libpq5 lua-cjson luajit mawk sed tar)
postgres_packages=(coreutils dash grep libc-bin postgresql-15 postgresql-client-15 sed tzdata)

# kong_root ROOT, like postgres_root ROOT below, makes a root filesystem of what was unpacked there.
kong_root() {
  slim "$1"
  install -D image/kong "$1/usr/local/bin/kong"
  install image/docker-entrypoint.sh "$1/docker-entrypoint.sh"
  mkdir -p "$1/usr/local/share/standin" "$1/usr/local/kong"
  cp -R lua/. "$1/usr/local/share/standin/"
  # An image's files are all root's.
  chmod 777 "$1/usr/local/kong"
  linked "$1" /usr/bin/luajit "$(cd "$1" && find usr/lib -name libpq.so.5)"
}

postgres_root() {
  slim "$1"
  install -D image/postgres.sh "$1/usr/local/bin/postgres.sh"
  find "$1/usr/share/zoneinfo" -mindepth 1 -maxdepth 1 ! -name UTC ! -name GMT ! -name Etc -exec rm -rf {} +
  # Compiled expressions, and all that is only for other programs that use it.
  rm -rf "$1"/usr/lib/postgresql/15/lib/{bitcode,llvmjit*,pgxs} "$1/usr/share/postgresql/15/man"
  ln -s ../tmp "$1/run/postgresql"
  for program in psql pg_isready; do ln -s "../lib/postgresql/15/bin/$program" "$1/usr/bin/"; done
  mkdir -p "$1/var/lib/postgresql/data"
  chmod 777 "$1/var/lib/postgresql/data"
  linked "$1" /usr/lib/postgresql/15/bin/{postgres,initdb,psql}
}

build() { # NAME REFERENCE CONFIG PACKAGE=VERSION...
  local name=$1 reference=$2 config=$3 started=$SECONDS
  shift 3
  log "$reference: building"
  rm -rf "$cache/$name.part" "$cache/$name.part.tar"
  unpack "$cache/apt" "$cache/$name.part" "$@"
  "${name%%-*}_root" "$cache/$name.part"
  ../../hack/image/archive.sh "$reference" "$(dpkg --print-architecture)" "$config" "$cache/$name.part" >"$cache/$name.part.tar"
  mv "$cache/$name.part" "$cache/$name"
  mv "$cache/$name.part.tar" "$cache/$name.tar"
  log "$reference: $(du -m "$cache/$name.tar" | cut -f1) MB in $((SECONDS - started))s"
}

# sum_of TEXT FILE... is one sum of the text and of all that goes into an image: the files, those in folders, and scripts.
sum_of() {
  local text=$1
  shift
  {
    echo "$text"
    find build.sh image/packages.sh ../../hack/image/archive.sh "$@" -type f -exec sha256sum {} + | LC_ALL=C sort
  } | sha256sum | cut -c1-16
}

what=tar
[[ ${1:-} != --roots ]] || what=root
((EUID == 0)) || die "packages are unpacked with their owners: run this as root"
grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || die "the packages are Debian 12's: run this on Debian 12"
cache=$(cache_folder test-kong)
lock_folder "$cache"

planned() {
  kong_closure=$(closure "$cache/apt" "${kong_packages[@]}") && postgres_closure=$(closure "$cache/apt" "${postgres_packages[@]}")
}
planned 2>/dev/null || { refresh "$cache/apt"; planned; } || die "Debian's packages cannot be planned: see apt-get's output above"

for image in kong postgres; do
  if [[ $image == kong ]]; then
    packages=$kong_closure reference=kongdao.io/test/kong:3.9 parts=(image/kong image/docker-entrypoint.sh lua)
    config='"User":"1000","WorkingDir":"/","Entrypoint":["/docker-entrypoint.sh"],"Cmd":["kong","docker-start"],"StopSignal":"SIGQUIT"'
  else
    packages=$postgres_closure reference=kongdao.io/test/postgres:15 parts=(image/postgres.sh)
    config='"User":"999","WorkingDir":"/","Entrypoint":["/usr/local/bin/postgres.sh"],"ExposedPorts":{"5432/tcp":{}}'
  fi
  name=$image-$(sum_of "$packages" "${parts[@]}")
  if [[ ! -f $cache/$name.tar ]]; then
    # shellcheck disable=SC2086
    build "$name" "$reference" "$config" $packages
    # What older trees made of the same image; a day's are left to those who may still use them.
    find "$cache" -mindepth 1 -maxdepth 1 -name "$image-*" ! -name "$name*" -mtime +0 -exec rm -rf {} +
  fi
  [[ $what == tar ]] && echo "$cache/$name.tar" || echo "$cache/$name"
done

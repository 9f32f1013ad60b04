#!/usr/bin/env bash
# build.sh builds two images and prints their paths, one per line, in the format of `ctr images import` and `docker
# load`: kongdao.io/test/kong:3.9, a test double of Kong (see README.md), and kongdao.io/test/postgres:15. It builds
# them from Debian packages, without a daemon or a registry. It builds only what is not in the cache.
#
#   build.sh           prints the paths of the archives
#   build.sh --roots   prints the paths of the root filesystems, for chroot
#
# KONG_DELAY is how long each command of the test double waits before it starts, in seconds. A real Kong needs 1.2.
set -euo pipefail
# The files in the images must be readable for all users.
umask 022

cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=hack/build-lib.sh
source ../../hack/build-lib.sh
# shellcheck source=test/kong/image/packages.sh
source image/packages.sh

kong_packages=(
  bash coreutils dash debianutils diffutils findutils grep gzip hostname libc-bin libpq5 lua-cjson luajit mawk sed tar
)
# socat stands for a proxy in front of the database.
postgres_packages=(coreutils dash grep libc-bin postgresql-15 postgresql-client-15 sed socat tzdata)

# complete_kong_root ROOT adds the test double to a folder with the unpacked packages.
complete_kong_root() {
  slim_root "$1"
  install -D image/kong "$1/usr/local/bin/kong"
  install image/resty "$1/usr/local/bin/resty"
  install image/docker-entrypoint.sh "$1/docker-entrypoint.sh"
  mkdir -p "$1/usr/local/share/testdouble" "$1/usr/local/kong"
  cp -R lua/. "$1/usr/local/share/testdouble/"
  # Kong's user writes to its default prefix. All files in an image belong to root.
  chmod 777 "$1/usr/local/kong"
  check_libraries "$1" /usr/bin/luajit "$(cd "$1" && find usr/lib -name libpq.so.5)"
}

# complete_postgres_root ROOT adds the start script to a folder with the unpacked packages.
complete_postgres_root() {
  slim_root "$1"
  install -D image/postgres.sh "$1/usr/local/bin/postgres.sh"
  find "$1/usr/share/zoneinfo" -mindepth 1 -maxdepth 1 ! -name UTC ! -name GMT ! -name Etc -exec rm -rf {} +
  # The JIT compiler, and files to build extensions.
  rm -rf "$1"/usr/lib/postgresql/15/lib/{bitcode,llvmjit*,pgxs} "$1/usr/share/postgresql/15/man"
  ln -s ../tmp "$1/run/postgresql"
  for program in psql pg_isready; do ln -s "../lib/postgresql/15/bin/$program" "$1/usr/bin/"; done
  mkdir -p "$1/var/lib/postgresql/data"
  chmod 777 "$1/var/lib/postgresql/data"
  check_libraries "$1" /usr/lib/postgresql/15/bin/{postgres,initdb,psql} /usr/bin/socat
}

# build_image IMAGE NAME REFERENCE CONFIG PACKAGE=VERSION... builds the folder NAME and the archive NAME.tar in the
# cache.
build_image() {
  local image=$1 name=$2 reference=$3 config=$4 started=$SECONDS
  local part=$cache/$name.part
  shift 4
  log "$reference: building"
  rm -rf "$part" "$part.tar"
  unpack_packages "$cache/apt" "$part" "$@"
  "complete_${image}_root" "$part"
  ../../hack/image/archive.sh "$reference" "$(dpkg --print-architecture)" "$config" "$part" >"$part.tar"
  mv "$part" "$cache/$name"
  mv "$part.tar" "$cache/$name.tar"
  log "$reference: $(du -m "$cache/$name.tar" | cut -f1) MB in $((SECONDS - started))s"
}

# checksum TEXT FILE... prints a checksum of TEXT, of the files and folders, and of the build scripts.
checksum() {
  local text=$1
  shift
  {
    echo "$text"
    find build.sh image/packages.sh ../../hack/image/archive.sh "$@" -type f -exec sha256sum {} + | LC_ALL=C sort
  } | sha256sum | cut -c1-16
}

output=archives
[[ ${1:-} != --roots ]] || output=roots
((EUID == 0)) || die "run this as root: the files of the packages keep their owners"
grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || die "run this on Debian 12: the packages are those of Debian 12"
cache=$(cache_folder test-kong)
lock_folder "$cache"

plan_packages() {
  kong_plan=$(resolve_packages "$cache/apt" "${kong_packages[@]}") &&
    postgres_plan=$(resolve_packages "$cache/apt" "${postgres_packages[@]}")
}
plan_packages 2>/dev/null || { fetch_package_lists "$cache/apt"; plan_packages; } ||
  die "cannot resolve the Debian packages: see the output of apt-get above"

for image in kong postgres; do
  if [[ $image == kong ]]; then
    packages=$kong_plan reference=kongdao.io/test/kong:3.9
    sources=(image/kong image/resty image/docker-entrypoint.sh lua)
    config='"User":"1000","WorkingDir":"/","Entrypoint":["/docker-entrypoint.sh"],"Cmd":["kong","docker-start"]'
    config+=',"StopSignal":"SIGQUIT"'
    export IMAGE_ENV=${KONG_DELAY:+TESTDOUBLE_DELAY=$KONG_DELAY}
  else
    export IMAGE_ENV=
    packages=$postgres_plan reference=kongdao.io/test/postgres:15 sources=(image/postgres.sh)
    config='"User":"999","WorkingDir":"/","Entrypoint":["/usr/local/bin/postgres.sh"],"ExposedPorts":{"5432/tcp":{}}'
  fi
  name=$image-$(checksum "$packages ${IMAGE_ENV:-}" "${sources[@]}")
  if [[ ! -f $cache/$name.tar ]]; then
    # shellcheck disable=SC2086
    build_image "$image" "$name" "$reference" "$config" $packages
    # Remove images of other versions, unless they are less than a day old: another checkout may use them.
    find "$cache" -mindepth 1 -maxdepth 1 -name "$image-*" ! -name "$name*" -mtime +0 -exec rm -rf {} +
  fi
  [[ $output == archives ]] && echo "$cache/$name.tar" || echo "$cache/$name"
done

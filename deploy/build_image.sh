#!/usr/bin/env bash
# Build the image of deploy/Dockerfile: by Docker where its engine answers, else by buildah on a base of debootstrap.
#   IMAGE        the image's name; parley:local
#   BASE         the base; python:3.11-slim-bookworm with Docker, else a Debian bookworm with python3 that is made here
#   IMAGE_CACHE  where buildah keeps the base and its layers; ~/.cache/parley/image
#   MIRROR       where debootstrap finds Debian; its default
# pip is given this machine's own configuration (index, proxy, certificates) as build secrets; no layer keeps them.
set -euo pipefail
cd "$(dirname "$0")/.."
image=${IMAGE:-parley:local}
cache=${IMAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/parley/image}
suite=bookworm
secrets=$(mktemp -d)
trap 'rm -rf "$secrets"' EXIT

say() { echo "image: $*"; }

# Prints the options that hand over pip's configuration. A certificate's path is another one inside of the build.
pip_secrets() {
    local python=.venv/bin/python certificates
    [ -x "$python" ] || python=python3
    "$python" -m pip config list 2>/dev/null \
        | sed -n "s/^\(:env:\|global\)[.]\([a-z-]*\)='\(.*\)'\$/\2 = \3/p" | awk -F' = ' '!known[$1]++' >"$secrets/found" || true
    certificates=$(sed -n 's/^cert = //p' "$secrets/found")
    {
        echo "[global]"
        grep -v -e '^cert = ' -e '^find-links = /' -e '^require-virtualenv = ' "$secrets/found" | sed 's/\\n/\n  /g' || true
        [ -z "$certificates" ] || echo "cert = /run/secrets/ca"
    } >"$secrets/pip"
    printf '%s\n' --secret "id=pip,src=$secrets/pip"
    [ -z "$certificates" ] || printf '%s\n' --secret "id=ca,src=$certificates"
}

by_docker() {
    say "by Docker"
    DOCKER_BUILDKIT=1 docker build --file deploy/Dockerfile --tag "$image" ${BASE:+--build-arg "BASE=$BASE"} "${given[@]}" .
    say "$image, $(docker image inspect --format '{{.Size}}' "$image" | awk '{printf "%.0f MB", $1 / 1e6}')"
}

by_buildah() {
    local tool=(buildah --root "$cache/storage" --runroot "$cache/run" --storage-driver "${STORAGE_DRIVER:-overlay}")
    install_tools
    mkdir -p "$cache"
    local base=${BASE:-localhost/parley-base:$suite}
    if [ -z "${BASE:-}" ] && ! "${tool[@]}" inspect --type image "$base" >/dev/null 2>&1; then
        make_base "$base" "${tool[@]}"
    fi
    say "by buildah on $base"
    "${tool[@]}" bud --isolation chroot --layers --pull-never --file deploy/Dockerfile --tag "$image" \
        --build-arg "BASE=$base" "${given[@]}" .
    say "$image, $("${tool[@]}" images --filter "reference=$image" --format '{{.Size}}')"
    say "it runs by: ${tool[*]} from --name parley $image && ${tool[*]} run --isolation chroot parley -- parley run all"
}

install_tools() {
    command -v buildah >/dev/null && command -v debootstrap >/dev/null && [ "$(id -u)" = 0 ] && return
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "there is no Docker engine; start one, or run this as root on Debian or Ubuntu, where buildah can do it" >&2
        exit 1
    fi
    say "installing buildah and debootstrap (once)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends buildah debootstrap >/dev/null
}

make_base() {
    local base=$1 root=$cache/rootfs container
    shift
    say "making a base of Debian $suite with python3 (once)"
    rm -rf "$root"
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv "$suite" "$root" ${MIRROR:+"$MIRROR"} \
        >"$cache/debootstrap.log" 2>&1 || {
        tail -n 5 "$cache/debootstrap.log" >&2
        say "debootstrap failed; $cache/debootstrap.log says more. Is a Debian mirror in reach (MIRROR=http://…)?" >&2
        exit 1
    }
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,info,locale}/* "$root"/var/log/*
    container=$("$@" from scratch)
    "$@" add --quiet "$container" "$root" / >/dev/null
    "$@" commit --quiet --rm "$container" "$base" >/dev/null
    rm -rf "$root"
}

mapfile -t given < <(pip_secrets)
if docker info >/dev/null 2>&1; then by_docker; else by_buildah; fi

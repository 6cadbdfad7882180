#!/usr/bin/env bash
# Builds the current Pebble and its DNS server from their Go module, once, and prints the folder of the programs.
# Needs the go command and the Go module proxy. Env: CACHE (the folder of the programs).
set -euo pipefail
cd "$(dirname "$0")"
[ "$(id -u)" = 0 ] && folder=/var/cache/test-kubernetes || folder=$(cd ../../.. && pwd)/.cache/test-programs
CACHE=${CACHE:-$folder}
command -v go > /dev/null || { echo "error: the go command is needed to build Pebble" >&2; exit 1; }
key=$({ cat go.mod go.sum build-pebble.sh; go version; } | sha256sum)
dir=$CACHE/pebble-${key:0:12}
if [ ! -e "$dir" ]; then
  mkdir -p "$CACHE"; exec 9> "$CACHE/pebble.lock"; flock 9
  if [ ! -e "$dir" ]; then
    echo "building Pebble (30 seconds on 2 cores with an empty Go cache)" >&2
    module=github.com/letsencrypt/pebble/v2/cmd
    rm -rf "$dir.part"; mkdir "$dir.part"
    for name in pebble pebble-challtestsrv; do
      CGO_ENABLED=0 GOWORK=off nice -n 10 go build -mod=readonly -trimpath -ldflags '-s -w' -o "$dir.part/$name" $module/$name
    done
    mv "$dir.part" "$dir"
  fi
fi
echo "$dir"

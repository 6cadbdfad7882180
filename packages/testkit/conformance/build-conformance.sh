#!/usr/bin/env bash
# Builds h2spec and the interoperability programs of gRPC from their Go modules, once, and prints their folder.
# Needs the go command and the Go module proxy. Env: CACHE (the folder of the programs).
set -euo pipefail
cd "$(dirname "$0")"
[ "$(id -u)" = 0 ] && folder=/var/cache/test-kubernetes || folder=$(cd ../../.. && pwd)/.cache/test-programs
CACHE=${CACHE:-$folder}
command -v go > /dev/null || { echo "error: the go command is needed to build h2spec" >&2; exit 1; }
key=$({ cat go.mod go.sum build-conformance.sh; go version; } | sha256sum)
dir=$CACHE/conformance-${key:0:12}
if [ ! -e "$dir" ]; then
  mkdir -p "$CACHE"; exec 9> "$CACHE/conformance.lock"; flock 9
  if [ ! -e "$dir" ]; then
    echo "building h2spec and the interoperability programs of gRPC (two minutes on 2 cores with an empty Go cache)" >&2
    rm -rf "$dir.part"; mkdir "$dir.part"
    build() { # name package
      CGO_ENABLED=0 GOWORK=off nice -n 10 go build -mod=readonly -trimpath -ldflags '-s -w' -o "$dir.part/$1" "$2"
    }
    build h2spec github.com/summerwind/h2spec/cmd/h2spec
    build grpc-server google.golang.org/grpc/interop/server
    build grpc-client google.golang.org/grpc/interop/client
    mv "$dir.part" "$dir"
  fi
fi
echo "$dir"

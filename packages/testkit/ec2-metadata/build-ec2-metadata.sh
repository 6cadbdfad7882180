#!/usr/bin/env bash
# Builds AWS's own mock of the metadata service of EC2 machines from its Go module, once, and prints the path of the
# program. Needs the go command and the Go module proxy. Env: CACHE (the folder of the program).
set -euo pipefail
cd "$(dirname "$0")"
[ "$(id -u)" = 0 ] && folder=/var/cache/test-kubernetes || folder=$(cd ../../.. && pwd)/.cache/test-programs
CACHE=${CACHE:-$folder}
command -v go > /dev/null || { echo "error: the go command is needed to build the metadata service" >&2; exit 1; }
key=$({ cat go.mod go.sum build-ec2-metadata.sh; go version; } | sha256sum)
bin=$CACHE/ec2-metadata-mock-${key:0:12}
if [ ! -e "$bin" ]; then
  mkdir -p "$CACHE"; exec 9> "$CACHE/ec2-metadata.lock"; flock 9
  if [ ! -e "$bin" ]; then
    module=github.com/aws/amazon-ec2-metadata-mock/cmd/ec2-metadata-mock
    CGO_ENABLED=0 GOWORK=off nice -n 10 go build -mod=readonly -trimpath -ldflags '-s -w' -o "$bin.part" $module
    mv "$bin.part" "$bin"
  fi
fi
echo "$bin"

#!/usr/bin/env bash
# Builds promtool and the check of dashboards from their Go modules, once, and prints their folder.
# Needs the go command and the Go module proxy. Env: CACHE (the folder of the programs).
set -euo pipefail
cd "$(dirname "$0")"
[ "$(id -u)" = 0 ] && folder=/var/cache/test-kubernetes || folder=$(cd ../../.. && pwd)/.cache/test-programs
CACHE=${CACHE:-$folder}
command -v go > /dev/null || { echo "error: the go command is needed to build promtool" >&2; exit 1; }
key=$({ cat go.mod go.sum check-dashboard.go build-checks.sh; go version; } | sha256sum)
dir=$CACHE/grafana-${key:0:12}
if [ ! -e "$dir" ]; then
  mkdir -p "$CACHE"; exec 9> "$CACHE/grafana.lock"; flock 9
  if [ ! -e "$dir" ]; then
    echo "building promtool (three minutes on 2 cores with an empty Go cache)" >&2
    rm -rf "$dir.part"; mkdir "$dir.part"
    # Without what finds machines to scrape in clouds, which rules do not need.
    build() { # name package
      CGO_ENABLED=0 GOWORK=off nice -n 10 go build -mod=readonly -trimpath -tags remove_all_sd,enable_file_sd \
        -ldflags '-s -w' -o "$dir.part/$1" "$2"
    }
    build promtool github.com/prometheus/prometheus/cmd/promtool
    build check-dashboard .
    mv "$dir.part" "$dir"
  fi
fi
echo "$dir"

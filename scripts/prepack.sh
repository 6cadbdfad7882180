#!/bin/sh
# Builds everything that the package contains. npm calls it before it packs.
set -e
. scripts/setup.sh
node scripts/needs-node.js
node scripts/build.ts
node scripts/build.ts docs

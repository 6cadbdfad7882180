#!/bin/sh
# Builds everything that the package contains, and packs it: dstack-VERSION.tgz. Not a `prepack` script,
# because `.npmrc` keeps npm from running scripts of packages, ours included. Options are those of `npm pack`.
set -e
. scripts/setup.sh
node scripts/add-ons.ts
node scripts/build.ts
node scripts/build.ts docs
npm pack "$@"

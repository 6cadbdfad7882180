#!/usr/bin/env bash
# Unpacks Debian's cloud-init, with the libraries that this computer lacks, into a folder, once, and prints its path.
# Test hosts see that folder over their root file system. It is not installed: it would run when this computer boots.
# Needs root and apt-get. Env: CACHE (the folder of the tree).
set -euo pipefail
CACHE=${CACHE:-/var/cache/test-kubernetes}
die() { echo "error: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "root is needed"
command -v apt-get > /dev/null || die "apt-get is needed"
key=$({ cat "$0"; cat /etc/debian_version; /usr/bin/python3 --version; } | sha256sum)
dir=$CACHE/cloud-init-${key:0:12}
# Programs for networks and disks, which hosts without both do not start.
UNUSED='^(eject|fdisk|gdisk|isc-dhcp-client|libfdisk)'
wanted() {
  # shellcheck disable=SC2086
  apt-get install --no-install-recommends --print-uris -qq cloud-init \
    | awk '{print $2}' | cut -d_ -f1 | grep -vE "$UNUSED"
}
if [ ! -e "$dir" ]; then
  mkdir -p "$CACHE"; exec 9> "$CACHE/cloud-init.lock"; flock 9
  if [ ! -e "$dir" ]; then
    wanted > /dev/null 2>&1 || apt-get update -qq >&2
    rm -rf "$dir.part"; mkdir -p "$dir.part/debs" "$dir.part/root"
    (cd "$dir.part/debs" && wanted | xargs apt-get -o APT::Sandbox::User=root download -qq >&2)
    for deb in "$dir.part"/debs/*.deb; do dpkg-deb -x "$deb" "$dir.part/root"; done
    # A folder /lib in front of the link /lib -> usr/lib would hide all libraries.
    for name in lib sbin bin; do
      [ ! -d "$dir.part/root/$name" ] || { cp -a "$dir.part/root/$name" "$dir.part/root/usr/"; rm -r "${dir:?}.part/root/$name"; }
    done
    rm -rf "$dir.part/debs" "$dir.part/root/etc/cloud" "$dir.part/root/usr/share/doc"
    mv "$dir.part" "$dir"
  fi
fi
echo "$dir/root"

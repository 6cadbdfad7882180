/**
 * The disks that a machine brings are empty at its first boot. They get the images and containers. Only machines
 * whose boot disk is one of the provider's kind are touched, and only disks on which nothing is.
 */
export const DISK_SCRIPT = `
case "$(findmnt -no SOURCE /)" in /dev/vd*)
  disk=$(blkid -L dstack 2>/dev/null)
  if [ -z "$disk" ]; then
    set --
    for one in /dev/nvme*n1; do
      if [ -b "$one" ] && [ -z "$(wipefs -n "$one")" ]; then set -- "$@" "$one"; fi
    done
    disk=\${1:-}
    if [ $# -gt 1 ]; then
      command -v mdadm >/dev/null 2>&1 || apt-get install -y -qq mdadm
      disk=
      mdadm --create /dev/md0 --level=0 --raid-devices=$# --force --run "$@" && disk=/dev/md0
    fi
    if [ -n "$disk" ]; then mkfs.ext4 -q -F -L dstack "$disk" || disk=; fi
  fi
  if [ -n "$disk" ] && ! mountpoint -q /data; then
    mkdir -p /data
    if mount "$disk" /data; then
      systemctl stop docker.socket docker containerd
      for dir in containerd docker; do
        mkdir -p /var/lib/$dir
        if [ ! -e /data/$dir ]; then cp -a /var/lib/$dir /data/$dir; fi
        mount --bind /data/$dir /var/lib/$dir
      done
      systemctl start containerd docker
    fi
  fi
esac
`;

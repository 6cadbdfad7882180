#!/usr/bin/env bash
# Makes N "hosts" on one machine: each a network namespace (own address), own PID/mount/UTS
# namespaces, own copy-on-write view of the root file system, own sshd on port 22 and own dockerd
# on /var/run/docker.sock (seen from outside at $BASE/<i>/run/docker.sock).
#   make-test-hosts.sh up [N]     -> prints one line per host: name address ssh-key docker-socket
#   make-test-hosts.sh down       -> stops them and removes everything
#   make-test-hosts.sh exec I CMD -> runs CMD on host I
#   make-test-hosts.sh cut I      -> nothing reaches host I any more, and it reaches nothing
#   make-test-hosts.sh restore I  -> the link is there again
# Needs root and: iproute2 util-linux openssh-server docker.io iptables.
# Env: BASE (default /tmp/test-hosts, must be on a real disk, not overlayfs), NET (10.213.0),
#      PREFIX (th: names of hosts, links and the bridge; with another BASE and NET a second set runs beside the first),
#      DOCKER=none leaves dockerd out, DOCKER=1,3 has it on hosts 1 and 3 only,
#      IMAGE_TAR=file is loaded into each dockerd.
set -euo pipefail
BASE=${BASE:-/tmp/test-hosts} NET=${NET:-10.213.0} PREFIX=${PREFIX:-th} DOCKER=${DOCKER:-all}
BR=${PREFIX}br0
# Whether host $1 has a dockerd.
has_docker() { case ",$DOCKER," in ,all, | *",$1,"*) true ;; *) false ;; esac; }
die() { echo "error: $*" >&2; exit 1; }

host_init() { # runs as PID 1 of the host, inside its namespaces
  local i=$1 d=$BASE/$1
  hostname "$PREFIX$i"
  mount --make-rprivate /
  mkdir -p "$d"/{upper,work,root,docker,run}
  mount -t overlay overlay -o "lowerdir=/,upperdir=$d/upper,workdir=$d/work" "$d/root"
  mount -t proc proc "$d/root/proc"
  mount --rbind /sys "$d/root/sys"           # keeps the cgroup mounts; 'ip netns exec' would hide them
  mount --rbind /dev "$d/root/dev"
  mount -t tmpfs tmpfs "$d/root/tmp"
  mount --bind "$d/run" "$d/root/run"
  mkdir -p "$d/root/var/lib/docker" "$d/root/run/sshd"
  mount --bind "$d/docker" "$d/root/var/lib/docker"  # overlay2 cannot sit on overlayfs
  cp "$BASE/id.pub" "$d/root/run/authorized_keys"
  # own name and no DNS: with the outer resolv.conf every sudo or name look-up waits for a time-out
  echo "127.0.0.1 localhost $PREFIX$i" > "$d/root/etc/hosts"; : > "$d/root/etc/resolv.conf"
  [ -s "$d/upper/ssh_host_key" ] || ssh-keygen -q -t ed25519 -N '' -f "$d/root/ssh_host_key"
  printf '%s\n' 'Port 22' "ListenAddress $NET.$((10 + i))" 'HostKey /ssh_host_key' \
    'AuthorizedKeysFile /run/authorized_keys .ssh/authorized_keys' 'StrictModes no' 'PermitRootLogin yes' 'UsePAM no' \
    'PasswordAuthentication no' 'MaxStartups 200' 'MaxSessions 100' 'AllowStreamLocalForwarding yes' \
    'Subsystem sftp /usr/lib/openssh/sftp-server' > "$d/root/run/sshd_config"
  local docker=no; ! has_docker "$i" || docker=yes
  exec chroot "$d/root" /bin/bash -c '
    /usr/sbin/sshd -f /run/sshd_config -E /run/sshd.log
    [ '"$docker"' = no ] || dockerd --data-root /var/lib/docker --exec-root /run/docker -p /run/docker.pid \
      -H unix:///run/docker.sock > /run/dockerd.log 2>&1 &
    trap "exit 0" TERM; while :; do sleep 3600 & wait $!; done'
}

up() {
  local n=${1:-2} i ip p
  [ "$(id -u)" = 0 ] || die "root is needed"
  [ ! -e "$BASE/n" ] || die "hosts are up already (run: $0 down)"
  mkdir -p "$BASE"; echo "$n" > "$BASE/n"
  [ -e "$BASE/id" ] || ssh-keygen -q -t ed25519 -N '' -C test-hosts -f "$BASE/id"
  ip link add "$BR" type bridge; ip addr add "$NET.1/24" dev "$BR"; ip link set "$BR" up
  # a dockerd outside sets FORWARD to DROP, which hits bridged frames where br_netfilter is on
  iptables -I FORWARD -i "$BR" -o "$BR" -j ACCEPT 2>/dev/null || true
  for i in $(seq 1 "$n"); do
    ip=$NET.$((10 + i))
    ip netns add "$PREFIX$i"
    ip link add "${PREFIX}v$i" type veth peer name eth0 netns "$PREFIX$i"
    ip link set "${PREFIX}v$i" master "$BR" up
    ip -n "$PREFIX$i" link set lo up; ip -n "$PREFIX$i" addr add "$ip/24" dev eth0
    ip -n "$PREFIX$i" link set eth0 up; ip -n "$PREFIX$i" route add default via "$NET.1"
    mkdir -p "$BASE/$i"
    nsenter --net="/run/netns/$PREFIX$i" unshare --mount --uts --ipc --pid --fork --kill-child \
      bash "$0" __init "$i" > "$BASE/$i/init.log" 2>&1 < /dev/null &
    echo $! > "$BASE/$i/unshare.pid"
  done
  for i in $(seq 1 "$n"); do
    ip=$NET.$((10 + i))
    for p in $(seq 150); do (exec 3<> "/dev/tcp/$ip/22") 2>/dev/null && break; sleep 0.1; done
    ! has_docker "$i" || for p in $(seq 150); do
      docker -H "unix://$BASE/$i/run/docker.sock" version > /dev/null 2>&1 && break; sleep 0.1; done
    [ -z "${IMAGE_TAR:-}" ] || ! has_docker "$i" || docker -H "unix://$BASE/$i/run/docker.sock" load -q -i "$IMAGE_TAR" > /dev/null
    echo "$PREFIX$i $ip $BASE/id $BASE/$i/run/docker.sock"
  done
}

down() {
  local i p c n; n=$(cat "$BASE/n" 2>/dev/null || echo 0)
  for i in $(seq 1 "$n"); do
    p=$(cat "$BASE/$i/unshare.pid" 2>/dev/null || true)
    if [ -n "$p" ]; then
      c=$(cat "/proc/$p/task/$p/children" 2>/dev/null | awk '{print $1}') || true
      # containers are children of shims in the host's PID namespace: killing its init ends them all
      [ -z "$c" ] || kill -KILL "$c" 2>/dev/null || true
      for _ in $(seq 50); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
    fi
    ip link del "${PREFIX}v$i" 2>/dev/null || true
    ip netns del "$PREFIX$i" 2>/dev/null || true
  done
  ip link del "$BR" 2>/dev/null || true
  iptables -D FORWARD -i "$BR" -o "$BR" -j ACCEPT 2>/dev/null || true
  for i in 1 2 3; do rm -rf --one-file-system "$BASE" 2>/dev/null && break; sleep 0.3; done
  [ ! -e "$BASE" ] || die "$BASE was not removed"
}

case ${1:-} in
  up) up "${2:-2}" ;;
  down) down ;;
  cut) ip link set "${PREFIX}v$2" down ;;
  restore) ip link set "${PREFIX}v$2" up ;;
  exec) i=$2; shift 2; exec ssh -q -i "$BASE/id" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "root@$NET.$((10 + i))" "$@" ;;
  __init) host_init "$2" ;;
  *) die "usage: $0 up [N] | down | exec I CMD | cut I | restore I" ;;
esac

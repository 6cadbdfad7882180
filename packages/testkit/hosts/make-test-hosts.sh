#!/usr/bin/env bash
# Makes N "hosts" on one machine: each a network namespace (own address), own PID/mount/UTS
# namespaces, own copy-on-write view of the root file system, own sshd on port 22 and own dockerd
# on /var/run/docker.sock (seen from outside at $BASE/<i>/run/docker.sock).
#   make-test-hosts.sh up [N]     -> prints one line per host: name address ssh-key docker-socket
#   make-test-hosts.sh open       -> makes the bridge and no host; hosts are added and removed one by one:
#   make-test-hosts.sh add I      -> adds host I (1 to 200), prints the same line. With files in $BASE/seed-I it is
#                                    a machine of a cloud (see cloud_boot)
#   make-test-hosts.sh remove I   -> stops host I and removes all of it; one that is not there is no error
#   make-test-hosts.sh down       -> stops all hosts and removes everything
#   make-test-hosts.sh exec I CMD -> runs CMD on host I
#   make-test-hosts.sh cut I      -> nothing reaches host I any more, and it reaches nothing
#   make-test-hosts.sh restore I  -> the link is there again
#   make-test-hosts.sh crash I    -> every process of host I is killed at once and /run is emptied, as when power fails
#   make-test-hosts.sh boot I     -> sshd and dockerd of a crashed host start again, with another boot id
#   make-test-hosts.sh docker-stop I [SIGNAL]  -> ends the dockerd of host I alone (default TERM), waits for its end
#   make-test-hosts.sh docker-start I [JSON]   -> starts it again in the same namespaces; JSON becomes its daemon.json
# Needs root and: iproute2 util-linux openssh-server docker.io iptables.
# Env: BASE (default /tmp/test-hosts, must be on a real disk, not overlayfs), NET (10.213.0),
#      PREFIX (th: names of hosts, links and the bridge; with another BASE and NET a second set runs beside the first),
#      DOCKER=none leaves dockerd out, DOCKER=1,3 has it on hosts 1 and 3 only,
#      SYSTEMD=2 makes systemd the first process of host 2 (also needs: systemd, dbus),
#      IMAGE_TAR=file is loaded into each dockerd.
set -euo pipefail
BASE=${BASE:-/tmp/test-hosts} NET=${NET:-10.213.0} PREFIX=${PREFIX:-th} DOCKER=${DOCKER:-all}
BR=${PREFIX}br0
# Whether host $1 has a dockerd, and whether systemd is its first process.
has_docker() { case ",$DOCKER," in ,all, | *",$1,"*) true ;; *) false ;; esac; }
has_systemd() { case ",${SYSTEMD:-}," in *",$1,"*) true ;; *) false ;; esac; }
die() { echo "error: $*" >&2; exit 1; }

host_init() { # runs as PID 1 of the host, inside its namespaces
  local i=$1 d=$BASE/$1
  hostname "$(cat "$BASE/seed-$i/name" 2>/dev/null || echo "$PREFIX$i")"
  mount --make-rprivate /
  mkdir -p "$d"/{upper,work,root,docker,run}
  mount -t overlay overlay -o "lowerdir=/,upperdir=$d/upper,workdir=$d/work" "$d/root"
  mount -t proc proc "$d/root/proc"
  mount --rbind /sys "$d/root/sys"           # keeps the cgroup mounts; 'ip netns exec' would hide them
  mount --rbind /dev "$d/root/dev"
  mount -t tmpfs tmpfs "$d/root/tmp"
  mount --bind "$d/run" "$d/root/run"
  # a directory that all hosts share, as by a network file system
  mkdir -p "$BASE/shared" "$d/root/mnt/shared"
  mount --bind "$BASE/shared" "$d/root/mnt/shared"
  mkdir -p "$d/root/var/lib/docker" "$d/root/etc/test-host" "$d/root/etc/docker"
  mount --bind "$d/docker" "$d/root/var/lib/docker"  # overlay2 cannot sit on overlayfs
  cp "$BASE/id.pub" "$d/root/etc/test-host/authorized_keys"
  cat /proc/sys/kernel/random/uuid > "$d/root/etc/test-host/boot_id"
  mount --bind "$d/root/etc/test-host/boot_id" "$d/root/proc/sys/kernel/random/boot_id"
  # registries of tests are on the bridge and speak plain HTTP
  echo "{\"insecure-registries\": [\"$NET.0/24\"]}" > "$d/root/etc/docker/daemon.json"
  # own name and no DNS: with the outer resolv.conf every sudo or name look-up waits for a time-out
  echo "127.0.0.1 localhost $(hostname)" > "$d/root/etc/hosts"; : > "$d/root/etc/resolv.conf"
  [ -s "$d/upper/ssh_host_key" ] || ssh-keygen -q -t ed25519 -N '' -f "$d/root/ssh_host_key"
  printf '%s\n' 'Port 22' "ListenAddress $NET.$((10 + i))" 'HostKey /ssh_host_key' \
    'AuthorizedKeysFile /etc/test-host/authorized_keys .ssh/authorized_keys' 'StrictModes no' 'PermitRootLogin yes' 'UsePAM no' \
    'PasswordAuthentication no' 'MaxStartups 200' 'MaxSessions 100' 'AllowStreamLocalForwarding yes' \
    'Subsystem sftp /usr/lib/openssh/sftp-server' > "$d/root/etc/test-host/sshd_config"
  cat > "$d/root/etc/test-host/start-dockerd" <<'EOS'
#!/bin/sh
# A daemon that was killed leaves its containerd, which a new one takes over.
rm -f /run/docker.pid
setsid dockerd --data-root /var/lib/docker --exec-root /run/docker -p /run/docker.pid \
  -H unix:///run/docker.sock >> /run/dockerd.log 2>&1 < /dev/null &
EOS
  cat > "$d/root/etc/test-host/start" <<'EOS'
#!/bin/sh
mkdir -p /run/sshd
/usr/sbin/sshd -f /etc/test-host/sshd_config -E /run/sshd.log
[ ! -e /etc/test-host/docker ] || /etc/test-host/start-dockerd
EOS
  chmod 755 "$d/root/etc/test-host/start" "$d/root/etc/test-host/start-dockerd"
  ! has_docker "$i" || : > "$d/root/etc/test-host/docker"
  local first=/etc/test-host/start
  if [ -d "$BASE/seed-$i" ]; then cloud_boot "$i" "$d/root"; first=/etc/test-host/first-boot; fi
  # By chroot alone containers would keep this machine's root as theirs, and `docker exec` enter it.
  mkdir -p "$d/root/.outside"; cd "$d/root"
  if has_systemd "$i"; then become_systemd; fi
  pivot_root . .outside
  exec chroot . /bin/bash -c 'umount -l /.outside; rmdir /.outside; "$0"
    trap "exit 0" TERM; while :; do sleep 3600 & wait $!; done' "$first"
}

# Prepares the first boot of a machine of a cloud, in the root file system $2, by the files of $BASE/seed-$1: `name`,
# `user` (who logs in), `keys` (public keys), optionally `user-data` (for cloud-init, whose tree is $CLOUD_INIT) and
# `no-sshd`. The machine has a host key of its own, which user data may bring, and nothing of this computer's users.
cloud_boot() {
  local seed=$2/var/lib/cloud/seed/nocloud user
  rm -rf "$2"/etc/ssh/ssh_host_* "$2/root/.ssh" "$2/var/lib/cloud"; mkdir -p "$2/var/lib/cloud/data"
  cp -r "$BASE/seed-$1" "$2/etc/test-host/seed"
  sed -i 's#^HostKey .*#HostKey /etc/ssh/ssh_host_ed25519_key#' "$2/etc/test-host/sshd_config"
  [ ! -e "$BASE/seed-$1/no-sshd" ] || sed -i '/sshd -f/d' "$2/etc/test-host/start"
  user=$(cat "$BASE/seed-$1/user")
  if [ -e "$BASE/seed-$1/user-data" ]; then
    cp -r "$CLOUD_INIT/." "$2/"
    mkdir -p "$seed" "$2/etc/cloud"; cp "$BASE/seed-$1/user-data" "$seed/"
    { echo "instance-id: $PREFIX$1"; echo "local-hostname: $(hostname)"; echo 'public-keys:'
      sed 's/^/- /' "$BASE/seed-$1/keys"; } > "$seed/meta-data"
    # Modules for locales, packages and boot loaders would only cost time.
    { printf '%s\n' 'datasource_list: [NoCloud]' 'network: {config: disabled}' 'disable_root: false' \
        'cloud_init_modules: [write-files, set_hostname, users-groups, ssh]' \
        'cloud_config_modules: [runcmd]' 'cloud_final_modules: [scripts-user]' \
        'syslog_fix_perms: root:root' 'def_log_file: /var/log/cloud-init.log'
      [ "$user" = root ] || printf '%s\n' 'users: [default]' 'system_info:' '  distro: debian' \
        "  default_user: {name: $user, lock_passwd: true, shell: /bin/bash, sudo: ['ALL=(ALL) NOPASSWD:ALL']}"
    } > "$2/etc/cloud/cloud.cfg"
  fi
  cat > "$2/etc/test-host/first-boot" <<'EOS'
#!/bin/sh
seed=/etc/test-host/seed user=$(cat /etc/test-host/seed/user)
if [ -e $seed/user-data ]; then
  { cloud-init init --local; cloud-init init; } > /run/cloud-init.log 2>&1
else
  [ "$user" = root ] || useradd -m -s /bin/bash "$user"
  home=$(getent passwd "$user" | cut -d: -f6)
  install -d -m 700 -o "$user" -g "$user" "$home/.ssh"
  install -m 600 -o "$user" -g "$user" $seed/keys "$home/.ssh/authorized_keys"
  [ "$user" = root ] || echo "$user ALL=(ALL) NOPASSWD:ALL" > /etc/sudoers.d/90-cloud-user
fi
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
# A locked password closes an account for keys too, unless sshd uses PAM.
sed -i 's/^\([^:]*\):!:/\1:*:/' /etc/shadow
/etc/test-host/start
[ ! -e $seed/user-data ] || { cloud-init modules --mode=config; cloud-init modules --mode=final; } >> /run/cloud-init.log 2>&1 &
EOS
  chmod 755 "$2/etc/test-host/first-boot"
}

# Cgroups of its own for the host that this process is going to be. systemd makes units of its own
# wherever it sees cgroups; in a namespace they end with the host.
own_cgroups() {
  local c
  for c in /sys/fs/cgroup/*/; do
    [ -e "$c/cgroup.procs" ] || continue
    mkdir -p "$c/$PREFIX$1"
    for f in cpuset.cpus cpuset.mems; do [ ! -e "$c/$f" ] || cat "$c/$f" > "$c/$PREFIX$1/$f"; done
    echo "$BASHPID" > "$c/$PREFIX$1/cgroup.procs"
  done
}

# Ends as the host's PID 1. Works where cgroup v1 is in use, as on all machines of these tests.
become_systemd() {
  local c etc=etc/systemd/system unit
  mount -t tmpfs tmpfs sys/fs/cgroup
  for c in $(awk 'NR > 1 && $2 > 0 && $4 == 1 {print $1}' /proc/cgroups); do
    mkdir -p "sys/fs/cgroup/$c"; mount -t cgroup -o "$c" cgroup "sys/fs/cgroup/$c"
  done
  mkdir -p sys/fs/cgroup/systemd; mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
  # Nothing of what this machine starts, and nothing that looks after hardware.
  find $etc -mindepth 1 -delete; mkdir -p $etc/test.target.wants
  for unit in systemd-udevd.service systemd-udevd-{control,kernel}.socket systemd-udev-trigger.service \
    systemd-{modules-load,sysctl,remount-fs,random-seed,tmpfiles-setup-dev,firstboot}.service \
    {dev-hugepages,dev-mqueue,sys-kernel-debug,sys-kernel-tracing,sys-fs-fuse-connections}.mount \
    proc-sys-fs-binfmt_misc.automount docker.service docker.socket containerd.service ssh.service; do
    ln -sf /dev/null "$etc/$unit"
  done
  printf '%s\n' '[Unit]' Requires=basic.target After=basic.target AllowIsolate=yes > $etc/test.target
  printf '%s\n' '[Service]' Type=oneshot RemainAfterExit=yes KillMode=none Delegate=yes \
    ExecStart=/etc/test-host/start > $etc/test-host.service
  ln -s ../test-host.service $etc/test.target.wants/
  export container=test-host
  pivot_root . .outside
  exec chroot . /bin/bash -c 'umount -l /.outside; rmdir /.outside
    exec /lib/systemd/systemd --log-target=console --unit=test.target --show-status=0'
}

# The host's PID 1, seen from outside.
init_of() {
  local p; p=$(cat "$BASE/$1/unshare.pid")
  awk '{print $1}' "/proc/$p/task/$p/children"
}

# Runs a script on host $1 without its sshd.
inside() {
  local i=$1; shift
  nsenter --target "$(init_of "$i")" --mount --uts --ipc --net --pid --root --wd /bin/bash -s -- "$@"
}

# cloud-init runs before sshd, and takes long on a busy computer.
await_sshd() { local p tries=300; [ ! -d "$BASE/seed-$1" ] || tries=2400; for p in $(seq $tries); do (exec 3<> "/dev/tcp/$NET.$((10 + $1))/22") 2>/dev/null && return; sleep 0.05; done; die "no sshd on host $1"; }
await_dockerd() {
  local p; ! has_docker "$1" && return
  for p in $(seq 300); do docker -H "unix://$BASE/$1/run/docker.sock" version > /dev/null 2>&1 && return; sleep 0.05; done
  die "no dockerd on host $1"
}

# A daemon that was killed with a container half started may answer, and never list its containers: it starts anew.
await_containers() {
  local p; ! has_docker "$1" && return
  for p in $(seq 3); do
    timeout 10 docker -H "unix://$BASE/$1/run/docker.sock" ps -a > /dev/null 2>&1 && return
    docker_stop "$1" KILL; docker_start "$1"
  done
  die "the dockerd of host $1 lists no containers"
}

crash() {
  inside "$1" <<'EOS'
kill -9 -1
# What a machine without power forgets: mounts of containers, and all of /run.
for _ in 1 2 3; do
  for at in $(awk '{print $5}' /proc/self/mountinfo | grep -E '^/(run|var/lib/docker)/' | sort -r); do umount -l "$at" 2>/dev/null; done
done
rm -rf /run/* /run/.[!.]* /tmp/* 2>/dev/null
cat /proc/sys/kernel/random/uuid > /etc/test-host/boot_id
exit 0
EOS
}

boot() {
  inside "$1" <<< /etc/test-host/start
  await_sshd "$1"; await_dockerd "$1"; await_containers "$1"
}

docker_stop() {
  inside "$1" "${2:-TERM}" <<'EOS'
pid=$(cat /run/docker.pid)
kill -"$1" "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
rm -f /run/docker.sock
EOS
}

docker_start() {
  inside "$1" "${2:-}" <<'EOS'
[ -z "$1" ] || printf '%s\n' "$1" > /etc/docker/daemon.json
/etc/test-host/start-dockerd
EOS
  await_dockerd "$1"
}

open_network() {
  [ "$(id -u)" = 0 ] || die "root is needed"
  [ ! -e "$BASE/n" ] || die "hosts are up already (run: $0 down)"
  mkdir -p "$BASE"; echo "$1" > "$BASE/n"
  [ -e "$BASE/id" ] || ssh-keygen -q -t ed25519 -N '' -C test-hosts -f "$BASE/id"
  ip link add "$BR" type bridge; ip addr add "$NET.1/24" dev "$BR"; ip link set "$BR" up
  # a dockerd outside sets FORWARD to DROP, which hits bridged frames where br_netfilter is on
  iptables -I FORWARD -i "$BR" -o "$BR" -j ACCEPT 2>/dev/null || true
}

# Starts host $1 and does not wait for it.
start_host() {
  local i=$1 ip=$NET.$((10 + $1))
  ip netns add "$PREFIX$i"
  ip link add "${PREFIX}v$i" type veth peer name eth0 netns "$PREFIX$i"
  ip link set "${PREFIX}v$i" master "$BR" up
  ip -n "$PREFIX$i" link set lo up; ip -n "$PREFIX$i" addr add "$ip/24" dev eth0
  ip -n "$PREFIX$i" link set eth0 up; ip -n "$PREFIX$i" route add default via "$NET.1"
  if [ -n "${METADATA_PORT:-}" ]; then lead_to_metadata "$PREFIX$i"; fi
  mkdir -p "$BASE/$i"
  local new=(unshare --mount --uts --ipc --pid --fork --kill-child) before=:
  if has_systemd "$i"; then new+=(--cgroup) before=own_cgroups; fi
  { "$before" "$i"; exec nsenter --net="/run/netns/$PREFIX$i" "${new[@]}" bash "$0" __init "$i"; } \
    > "$BASE/$i/init.log" 2>&1 < /dev/null &
  echo $! > "$BASE/$i/unshare.pid"
}

# The link-local address that clouds use leads from the network $1 to port $METADATA_PORT of the bridge.
lead_to_metadata() {
  local chain
  for chain in OUTPUT PREROUTING; do
    ip netns exec "$1" iptables -t nat -A $chain -d 169.254.169.254 -p tcp --dport 80 \
      -j DNAT --to-destination "$NET.1:$METADATA_PORT"
  done
}

# Waits until host $1 answers, and prints its line.
await_host() {
  local i=$1
  [ -e "$BASE/seed-$i/no-sshd" ] || await_sshd "$i"
  await_dockerd "$i"
  [ -z "${IMAGE_TAR:-}" ] || ! has_docker "$i" || docker -H "unix://$BASE/$i/run/docker.sock" load -q -i "$IMAGE_TAR" > /dev/null
  echo "$PREFIX$i $NET.$((10 + i)) $BASE/id $BASE/$i/run/docker.sock"
}

up() {
  local n=${1:-2} i
  open_network "$n"
  for i in $(seq 1 "$n"); do start_host "$i"; done
  for i in $(seq 1 "$n"); do await_host "$i"; done
}

stop_host() {
  local i=$1 p c
  p=$(cat "$BASE/$i/unshare.pid" 2>/dev/null || true)
  # the number may belong to another process by now
  if [ -n "$p" ] && grep -qsx unshare "/proc/$p/comm"; then
    c=$(cat "/proc/$p/task/$p/children" 2>/dev/null | awk '{print $1}') || true
    # containers are children of shims in the host's PID namespace: killing its init ends them all
    [ -z "$c" ] || kill -KILL "$c" 2>/dev/null || true
    for _ in $(seq 50); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done
  fi
  for c in /sys/fs/cgroup/*/"$PREFIX$i"; do
    [ ! -d "$c" ] || find "$c" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
  ip link del "${PREFIX}v$i" 2>/dev/null || true
  ip netns del "$PREFIX$i" 2>/dev/null || true
}

remove_files() {
  local _
  for _ in 1 2 3; do rm -rf --one-file-system "$@" 2>/dev/null && return; sleep 0.3; done
  die "$* was not removed"
}

down() {
  local dir
  for dir in "$BASE"/[0-9]*/; do [ ! -d "$dir" ] || stop_host "$(basename "$dir")"; done
  ip link del "$BR" 2>/dev/null || true
  iptables -D FORWARD -i "$BR" -o "$BR" -j ACCEPT 2>/dev/null || true
  remove_files "$BASE"
}

case ${1:-} in
  up) up "${2:-2}" ;;
  open) open_network 0 ;;
  add) start_host "$2"; await_host "$2" ;;
  remove) stop_host "$2"; remove_files "$BASE/$2" "$BASE/seed-$2" ;;
  down) down ;;
  cut) ip link set "${PREFIX}v$2" down ;;
  restore) ip link set "${PREFIX}v$2" up ;;
  crash) crash "$2" ;;
  boot) boot "$2" ;;
  docker-stop) docker_stop "$2" "${3:-TERM}" ;;
  docker-start) docker_start "$2" "${3:-}" ;;
  exec) i=$2; shift 2; exec ssh -q -i "$BASE/id" -o ConnectTimeout=30 -o ServerAliveInterval=20 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "root@$NET.$((10 + i))" "$@" ;;
  __init) host_init "$2" ;;
  *) die "usage: $0 up [N] | open | add I | remove I | down | exec I CMD | cut I | restore I | crash I | boot I | docker-stop I [SIGNAL] | docker-start I [JSON]" ;;
esac

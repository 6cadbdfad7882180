# Sourced by scripts/test: system packages that real suites start (databases, Docker, sshd).

missing=
want() { # command package
  command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing="$missing $2"
}
want dockerd docker.io
want iptables iptables
want ip iproute2
want busybox busybox-static
want sshd openssh-server
want ssh openssh-client
want git git
want nsenter util-linux
want faketime faketime
want rsync rsync
want zsh zsh
want fish fish
want mpirun openmpi-bin
want chromium chromium
want slurmctld slurmctld
want slurmd slurmd
want sbatch slurm-client
want munged munge
want gcc gcc
[ -e /usr/include/slurm/spank.h ] || missing="$missing libslurm-dev"
[ -e /usr/include/stdio.h ] || missing="$missing libc6-dev"
want sudo sudo
want nginx nginx-light
[ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || missing="$missing libnginx-mod-stream"
[ -e /usr/lib/nginx/modules/ngx_http_lua_module.so ] || missing="$missing libnginx-mod-http-lua"
want pebble pebble
want mkfs.ext4 e2fsprogs
want losetup mount
[ -x /lib/systemd/systemd ] || missing="$missing systemd"
# Debian's python3 comes without `venv`, into which the official client is installed.
python3 -c 'import ensurepip' >/dev/null 2>&1 || missing="$missing python3 python3-venv"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"

if [ -n "$missing" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "Installing system packages:$missing"
    # The services of these packages must not start: the tests start their own.
    policy=/usr/sbin/policy-rc.d
    ours=
    if [ ! -e "$policy" ]; then
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod +x "$policy"
      ours=yes
    fi
    status=0
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends $missing; } >/dev/null || status=$?
    [ -z "$ours" ] || rm -f "$policy"
    if [ "$status" != 0 ]; then
      say "apt-get could not install:$missing"
      exit "$status"
    fi
  else
    say "Not installed:$missing"
    say "Suites that need them are skipped. Install them (apt-get install$missing) to run everything."
  fi
fi

import type { SshConnection } from '@dstack/ssh';
import { permanent, temporary } from '@dstack/ssh';
import { libraryProblem } from './c-library.ts';
import { HostShell, pairs } from './host-shell.ts';
import { DOCKER_SOCKET, INSTALL_DIRS, STATE_DIR } from './layout.ts';
import { type Arch, LOADER_PATHS } from './libraries.ts';
import { howToAllow } from './sshd-settings.ts';

/** The purpose of a host: a machine of a gateway has nginx in place of Docker. */
export type HostPurpose = 'jobs' | 'gateway';

/** A folder from which programs can be run. */
export interface ProgramDir {
  readonly path: string;
  /** KiB; NaN if it is unknown. */
  readonly free: number;
  /** Names of the programs that are there already. */
  readonly installed: ReadonlySet<string>;
}

/** The facts about a host that are needed before anything is copied there. */
export interface Preflight {
  readonly shell: HostShell;
  readonly arch: Arch;
  /** Group and home of the login user. */
  readonly gid: number;
  readonly home: string;
  readonly systemd: boolean;
  /** Why Node needs its own libraries there; null if it needs none. */
  readonly libraryProblem: string | null;
  /** At least one, the best place first. */
  readonly programDirs: readonly [ProgramDir, ...ProgramDir[]];
}

const MACHINES: Readonly<Record<string, Arch>> = {
  x86_64: 'x64',
  amd64: 'x64',
  aarch64: 'arm64',
  arm64: 'arm64',
};

const ABOUT_USER = `
echo "uid=$(id -u)"; echo "user=$(id -un)"; echo "gid=$(id -g)"; echo "home=$HOME"
echo "system=$(uname -s)"; echo "machine=$(uname -m)"
if [ "$(id -u)" = 0 ]; then
  echo sudo=needless
elif command -v sudo >/dev/null 2>&1; then
  echo "sudo=$(sudo -n sh -c : 2>&1 && echo yes)"
else
  echo sudo=absent
fi
`;

const ABOUT_HOST = `
echo "systemd=$([ -d /run/systemd/system ] && echo yes)"
echo "getconf=$(getconf GNU_LIBC_VERSION 2>/dev/null)"
echo "ldd=$(ldd --version 2>&1 | head -n 1)"
echo "loader=$(ls ${Object.values(LOADER_PATHS).join(' ')} 2>/dev/null | head -n 1)"
echo "musl=$(ls /lib/ld-musl-*.so.1 2>/dev/null | head -n 1)"
echo "nginx=$([ -x /usr/sbin/nginx ] && [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] && echo yes)"
echo "docker=$([ -S ${DOCKER_SOCKET} ] && echo yes)"
if command -v docker >/dev/null 2>&1; then
  echo "daemon=$(timeout 10 docker -H unix://${DOCKER_SOCKET} version --format ok 2>&1 | tr '\\n' ' ')"
fi
echo "owner=$(cat ${STATE_DIR}/owner 2>/dev/null)"
echo "owner-name=$(cat ${STATE_DIR}/owner-name 2>/dev/null)"
for dir in ${INSTALL_DIRS.join(' ')}; do
  mkdir -p "$dir" 2>/dev/null || continue
  try="$dir/.try-$$"
  printf '#!/bin/sh\\nexit 0\\n' > "$try" 2>/dev/null && chmod 700 "$try" && "$try" 2>/dev/null
  works=$?; rm -f "$try"
  [ $works = 0 ] || continue
  set -- $(df -Pk "$dir" | tail -n 1)
  echo "dir:$dir=$4"
  for name in "$dir"/*; do echo "have:$dir:\${name##*/}=yes"; done
done
`;

/** Checks every requirement; throws a `HostError` that names the first one that is not met. */
export async function preflight(
  connection: SshConnection,
  serverId: string,
  purpose: HostPurpose = 'jobs',
): Promise<Preflight> {
  const user = pairs(
    (await connection.exec('sh -s', { input: ABOUT_USER, timeoutMs: 30_000 })).stdout,
  );
  const uid = Number(user.get('uid') ?? Number.NaN);
  if (Number.isNaN(uid)) throw permanent('The host ran no shell for the login user');
  if (user.get('system') !== 'Linux')
    throw permanent(`The host runs ${user.get('system')}, not Linux`);
  const machine = user.get('machine') ?? '';
  const arch = MACHINES[machine];
  if (!arch) throw permanent(`The host's processor is ${machine}; x86_64 or aarch64 is needed`);
  if (uid !== 0) checkSudo(user.get('user') ?? '', user.get('sudo') ?? '');
  const shell = new HostShell(connection, uid !== 0);
  const host = pairs(await shell.run('Looking at the host', ABOUT_HOST));
  checkOwner(host.get('owner') ?? '', host.get('owner-name') ?? '', serverId);
  if (purpose === 'jobs') checkDocker(host);
  else checkNginx(host);
  const [first, ...others] = programDirs(host);
  if (first === undefined) {
    throw permanent(
      `Programs can be kept in none of ${INSTALL_DIRS.join(', ')} on the host (read-only or noexec): mount one of them from a file system that is neither`,
    );
  }
  return {
    ...{ shell, arch, home: user.get('home') ?? '/root', gid: Number(user.get('gid')) },
    systemd: host.get('systemd') === 'yes',
    libraryProblem: libraryProblem({
      getconf: host.get('getconf') ?? '',
      ldd: host.get('ldd') ?? '',
      loader: host.get('loader') ?? '',
      musl: host.get('musl') ?? '',
    }),
    programDirs: [first, ...others],
  };
}

function programDirs(host: ReadonlyMap<string, string>): ProgramDir[] {
  return INSTALL_DIRS.flatMap((path) => {
    const free = host.get(`dir:${path}`);
    if (free === undefined) return [];
    const prefix = `have:${path}:`;
    const names = [...host.keys()].filter((key) => key.startsWith(prefix));
    const installed = new Set(names.map((key) => key.slice(prefix.length)));
    return [{ path, free: free === '' ? Number.NaN : Number(free), installed }];
  });
}

/** Users reach their jobs, and the server its agent, by forwarding alone. */
export async function checkForwarding(shell: HostShell, port: number): Promise<void> {
  if (!(await shell.connection.forbidsForwarding(port))) return;
  const how = await howToAllow(shell, 'AllowTcpForwarding');
  throw permanent(
    `The host’s sshd forbids TCP forwarding, by which users reach their jobs: ${how}`,
  );
}

function checkSudo(user: string, answer: string): void {
  if (answer === 'yes') return;
  const why = answer === 'absent' ? 'sudo is not installed' : answer || 'sudo wants a password';
  const rule = `echo '${user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/dstack`;
  const next = answer === 'absent' ? 'install it, and allow it' : 'allow it';
  throw permanent(
    `The login user ${user} is not root and has no sudo without a password (${why}): ${next} as root by \`${rule}\`, or log in as root`,
  );
}

function checkOwner(owner: string, name: string, serverId: string): void {
  if (owner === '' || owner === serverId) return;
  throw permanent(
    `The host belongs to another dstack server (${name ? `on ${name}, ` : ''}id ${owner}): delete its fleet there, or remove ${STATE_DIR}/owner on the host to take it over, which ends the jobs it runs there`,
  );
}

/** Its first boot installs it. */
function checkNginx(host: ReadonlyMap<string, string>): void {
  if (host.get('nginx') === 'yes') return;
  throw temporary('The machine does not have nginx yet: its first boot installs it');
}

function checkDocker(host: ReadonlyMap<string, string>): void {
  if (host.get('docker') !== 'yes') {
    throw permanent(
      `No Docker on the host: ${DOCKER_SOCKET} does not exist. Install and start Docker`,
    );
  }
  const daemon = host.get('daemon');
  if (daemon !== undefined && daemon !== 'ok') {
    throw temporary(`The host's Docker daemon does not answer: ${daemon.slice(0, 200)}`);
  }
}

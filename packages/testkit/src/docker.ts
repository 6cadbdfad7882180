import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Docker from 'dockerode';
import { copyPrograms } from './program-image.ts';

export interface MoreFiles {
  /** Files and directories that are copied to the same paths. */
  readonly data?: readonly string[];
  /** Paths on this computer, and their paths in the image. */
  readonly named?: Readonly<Record<string, string>>;
}

/** A Docker daemon for one test. */
export interface TestDocker {
  readonly socket: string;
  /** `unix://…`, for `DOCKER_HOST`. */
  readonly host: string;
  readonly docker: Docker;
  /** The daemon's process. */
  readonly pid: number;
  /** The files of the busybox image as a tar archive. */
  busyboxTar(): Buffer;
  /** Creates an image from a static busybox: a shell and the usual tools, 2 MB. */
  busybox(name: string, changes?: readonly string[]): Promise<void>;
  /** Creates an image from the files of a tar archive, with changes in Dockerfile syntax. */
  image(name: string, tar: Buffer, changes?: readonly string[]): Promise<void>;
  /** The busybox image with programs of this computer, at the same paths. */
  programs(name: string, programs: readonly string[], more?: MoreFiles): Promise<void>;
  /** Ends only the daemon and starts another one on its data; resolves when that answers. */
  restart(): Promise<void>;
  /** Ends all containers and the daemon, and removes its files. */
  close(): Promise<void>;
}

export interface TestDockerOptions {
  /** Shell lines that run in the daemon's mount namespace before it starts. */
  readonly prepare?: string;
  /** Contents of `daemon.json`. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** The missing requirements of `startDocker`, null if there are none. */
export function dockerMissing(): string | null {
  if (process.getuid?.() !== 0) return 'root';
  for (const path of ['/usr/sbin/dockerd', '/usr/bin/unshare', '/usr/bin/busybox']) {
    if (!existsSync(path)) return path;
  }
  return null;
}

/**
 * Starts a daemon with its own data, sockets, and network namespace with its own bridge, so that
 * the addresses and the firewall of this computer are not changed.
 */
export async function startDocker(options: TestDockerOptions = {}): Promise<TestDocker> {
  const dir = mkdtempSync(join(tmpdir(), 'dockerd-'));
  const socket = join(dir, 'docker.sock');
  let daemon = spawnDaemon(dir, socket, options);
  const docker = new Docker({ socketPath: socket });
  const close = async (): Promise<void> => {
    await removeContainers(docker);
    await endDaemon(daemon);
    rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  try {
    await untilReady(docker, daemon);
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
  return {
    socket,
    host: `unix://${socket}`,
    docker,
    get pid() {
      return daemon.pid ?? 0;
    },
    busyboxTar: () => busyboxTar(dir),
    image: (name, tar, changes = []) => importTar(socket, name, tar, changes),
    programs: (name, programs, more = {}) => importPrograms(dir, socket, name, programs, more),
    busybox: (name, changes = []) => importBusybox(dir, socket, name, changes),
    restart: async () => {
      await endDaemon(daemon);
      daemon = spawnDaemon(dir, socket, options);
      await untilReady(docker, daemon);
    },
    close,
  };
}

function spawnDaemon(dir: string, socket: string, options: TestDockerOptions): ChildProcess {
  const { prepare = ':', config = {} } = options;
  const dockerd = [
    'exec dockerd',
    `--data-root ${dir}/data --exec-root ${dir}/run --pidfile ${dir}/pid`,
    `--host unix://${socket} --config-file ${dir}/daemon.json`,
  ].join(' ');
  writeFileSync(join(dir, 'daemon.json'), JSON.stringify(config));
  const script = `ip link set lo up; ${prepare}; ${dockerd} > ${dir}/log 2>&1`;
  return spawn('unshare', ['--net', '--mount', 'sh', '-c', script], { stdio: 'ignore' });
}

async function untilReady(docker: Docker, daemon: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (daemon.exitCode !== null) throw new Error(`dockerd ended with ${daemon.exitCode}`);
    const ready = await docker.ping().then(
      () => true,
      () => false,
    );
    if (ready) return;
    await delay(50);
  }
  throw new Error('dockerd did not answer within 15 s');
}

/**
 * Creates an image from a static busybox in the daemon behind this socket; `dir` holds its files.
 */
export async function importBusybox(
  dir: string,
  socket: string,
  name: string,
  changes: readonly string[],
): Promise<void> {
  await importTar(socket, name, busyboxTar(dir), changes);
}

async function importPrograms(
  dir: string,
  socket: string,
  name: string,
  programs: readonly string[],
  { data = [], named = {} }: MoreFiles,
): Promise<void> {
  const root = mkdtempSync(join(dir, 'programs-'));
  makeBusyboxRoot(root);
  await copyPrograms(root, programs, { data });
  for (const [path, inside] of Object.entries(named)) {
    mkdirSync(dirname(join(root, inside)), { recursive: true });
    copyFileSync(path, join(root, inside));
  }
  await importTar(socket, name, tarOf(root), ['ENV PATH=/usr/local/bin:/usr/bin:/bin']);
}

function tarOf(root: string): Buffer {
  return execFileSync('tar', ['-C', root, '-cf', '-', '.'], { maxBuffer: 1024 ** 3 });
}

async function importTar(
  socket: string,
  name: string,
  tar: Buffer,
  changes: readonly string[],
): Promise<void> {
  const [repo = name, tag = 'latest'] = name.split(':');
  const query = new URLSearchParams({ fromSrc: '-', repo, tag });
  for (const change of changes) query.append('changes', change);
  await new Promise<void>((resolve, reject) => {
    const path = `/images/create?${query}`;
    const outgoing = request({ socketPath: socket, method: 'POST', path }, (response) => {
      response.resume();
      response.on('end', () =>
        response.statusCode === 200
          ? resolve()
          : reject(new Error(`import: ${response.statusCode}`)),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(tar);
  });
}

/** The files of a static busybox as a tar archive; `dir` holds them. */
export function busyboxTar(dir: string): Buffer {
  const root = join(dir, 'busybox');
  if (!existsSync(root)) makeBusyboxRoot(root);
  return tarOf(root);
}

export function makeBusyboxRoot(root: string): void {
  for (const name of ['bin', 'etc', 'tmp', 'root', 'home/alice']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  chmodSync(join(root, 'tmp'), 0o1777);
  copyFileSync('/usr/bin/busybox', join(root, 'bin/busybox'));
  chmodSync(join(root, 'bin/busybox'), 0o755);
  for (const applet of execFileSync('/usr/bin/busybox', ['--list']).toString().trim().split('\n')) {
    // The list names the busybox program itself, which must not become a link.
    if (applet !== 'busybox') symlinkSync('busybox', join(root, 'bin', applet));
  }
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nalice:x:1000:\nvideo:x:44:alice\n');
  writeFileSync(join(root, 'etc/profile'), 'export FROM_IMAGE=1\n');
  execFileSync('chown', ['1000:1000', join(root, 'home/alice')]);
}

async function removeContainers(docker: Docker): Promise<void> {
  const containers = await docker.listContainers({ all: true }).catch(() => []);
  await Promise.all(
    containers.map(({ Id }) =>
      docker
        .getContainer(Id)
        .remove({ force: true, v: true })
        .catch(() => {}),
    ),
  );
}

async function endDaemon(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const ended = new Promise((resolve) => daemon.once('exit', resolve));
  daemon.kill('SIGTERM');
  const killing = setTimeout(() => daemon.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(killing);
}

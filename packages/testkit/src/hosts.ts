import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import { busyboxTar, importBusybox } from './docker.ts';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('../hosts/make-test-hosts.sh', import.meta.url));

/** Path of a directory that all hosts share, as if it were on a network file system. */
export const SHARED_PATH = '/mnt/shared';

/** A machine of the test's own: address, root file system, sshd (user `root`), dockerd if wanted. */
export interface TestHost {
  readonly name: string;
  readonly address: string;
  /** Its Docker daemon, seen from outside; there is none where none was asked for. */
  readonly docker: Docker;
  /** Runs a command there by SSH and answers what it printed; rejects when it fails. */
  exec(command: string): Promise<string>;
  /** Nothing reaches it any more and nothing comes from it, as with a pulled cable. */
  cut(): void;
  restore(): void;
  /** Every process there is killed at once and `/run` is emptied, as when the power fails. */
  crash(): Promise<void>;
  /** What an init would start after a crash: sshd and Docker, and nothing of ours. */
  boot(): Promise<void>;
  /** Ends its Docker daemon alone, and resolves when that is gone. */
  stopDocker(signal?: 'TERM' | 'KILL'): Promise<void>;
  /** Resolves when it answers; `config` becomes its `daemon.json`. */
  startDocker(config?: Readonly<Record<string, unknown>>): Promise<void>;
}

export interface TestHosts {
  readonly hosts: readonly TestHost[];
  /** Private key that opens all of them, and where it lies. */
  readonly privateKey: string;
  readonly keyPath: string;
  /** The address by which hosts reach this machine; registries on it may speak plain HTTP. */
  readonly gateway: string;
  /** The files of that image, as a tar archive. */
  busyboxTar(): Buffer;
  /** Makes a busybox image in the daemons of these hosts. */
  busybox(name: string, on?: readonly TestHost[]): Promise<void>;
  /** Ends everything on them and removes every trace. */
  close(): void;
}

export interface TestHostsOptions {
  readonly count: number;
  /** Which of them have Docker, from 1; all by default. */
  readonly docker?: readonly number[];
  /** Which of them are run by systemd, from 1; none by default. See `systemdMissing`. */
  readonly systemd?: readonly number[];
}

/** What a machine lacks for `startHosts`, null when it lacks nothing. */
export function hostsMissing(): string | null {
  if (process.getuid?.() !== 0) return 'root';
  const programs = ['/usr/sbin/sshd', '/usr/sbin/dockerd', '/usr/bin/unshare', '/usr/bin/busybox'];
  return [...programs, '/usr/sbin/ip', '/usr/sbin/iptables'].find((it) => !existsSync(it)) ?? null;
}

/** What a machine lacks for hosts that systemd runs, null when it lacks nothing. */
export function systemdMissing(): string | null {
  const needed = ['/lib/systemd/systemd', '/sys/fs/cgroup/systemd'];
  return hostsMissing() ?? needed.find((it) => !existsSync(it)) ?? null;
}

/** Makes hosts out of namespaces of this machine; several sets may live side by side. */
export async function startHosts({
  count,
  docker,
  systemd = [],
}: TestHostsOptions): Promise<TestHosts> {
  const dir = mkdtempSync(join(tmpdir(), 'test-hosts-'));
  const env = {
    ...process.env,
    BASE: join(dir, 'base'),
    NET: freeNetwork(),
    // Names of links have at most 15 characters.
    PREFIX: `t${process.pid.toString(36)}${dir.slice(-2).toLowerCase()}`,
    DOCKER: docker === undefined ? 'all' : docker.join(',') || 'none',
    SYSTEMD: systemd.join(','),
  };
  const script = (...args: string[]) => execFileSync(SCRIPT, args, { env, stdio: 'pipe' });
  const act = async (...args: string[]) => void (await run(SCRIPT, args, { env }));
  const close = () => {
    script('down');
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const { stdout } = await run(SCRIPT, ['up', String(count)], { env });
    const hosts = stdout
      .trim()
      .split('\n')
      .map((line, index): TestHost => {
        const [name = '', address = '', , socketPath = ''] = line.split(' ');
        const number = String(index + 1);
        return {
          name,
          address,
          docker: new Docker({ socketPath }),
          exec: async (command) => (await run(SCRIPT, ['exec', number, command], { env })).stdout,
          cut: () => void script('cut', number),
          restore: () => void script('restore', number),
          crash: () => act('crash', number),
          boot: () => act('boot', number),
          stopDocker: (signal = 'TERM') => act('docker-stop', number, signal),
          startDocker: (config) =>
            act('docker-start', number, ...(config ? [JSON.stringify(config)] : [])),
        };
      });
    const sockets = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[3] ?? '');
    const keyPath = join(env.BASE, 'id');
    return {
      hosts,
      keyPath,
      gateway: `${env.NET}.1`,
      privateKey: readFileSync(keyPath, 'utf8'),
      busyboxTar: () => busyboxTar(dir),
      async busybox(name, on = hosts) {
        for (const host of on) {
          await importBusybox(dir, sockets[hosts.indexOf(host)] ?? '', name, []);
        }
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** A /24 that no interface of this machine is in. */
function freeNetwork(): string {
  const taken = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map(({ address }) => address),
  );
  for (let third = process.pid % 250; ; third = (third + 1) % 250) {
    const network = `10.213.${third}`;
    if (!taken.some((address) => address.startsWith(`${network}.`))) return network;
  }
}

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Docker from 'dockerode';
import { busyboxTar, importBusybox } from './docker.ts';
import { openHostScript } from './host-script.ts';

/** Path of a directory that all hosts share, as if it were on a network file system. */
export const SHARED_PATH = '/mnt/shared';

/** A host for one test: address, root file system, sshd (user `root`), optionally dockerd. */
export interface TestHost {
  readonly name: string;
  readonly address: string;
  /** Its Docker daemon, seen from outside; null if none was requested. */
  readonly docker: Docker;
  /** Runs a command on the host by SSH and returns its output; rejects if it fails. */
  exec(command: string): Promise<string>;
  /** Blocks all traffic to and from the host, like a pulled cable. */
  cut(): void;
  restore(): void;
  /** Kills every process of the host at once and empties `/run`, like a power failure. */
  crash(): Promise<void>;
  /** Starts what an init would start after a crash: sshd and Docker, and nothing of ours. */
  boot(): Promise<void>;
  /** Ends only its Docker daemon, and resolves when that has exited. */
  stopDocker(signal?: 'TERM' | 'KILL'): Promise<void>;
  /** Resolves when it answers; `config` becomes its `daemon.json`. */
  startDocker(config?: Readonly<Record<string, unknown>>): Promise<void>;
}

export interface TestHosts {
  readonly hosts: readonly TestHost[];
  /** Private key that all of them accept, and its path. */
  readonly privateKey: string;
  readonly keyPath: string;
  /** The address of this computer for the hosts; registries on it may use plain HTTP. */
  readonly gateway: string;
  /** The files of that image, as a tar archive. */
  busyboxTar(): Buffer;
  /** Creates a busybox image in the daemons of these hosts. */
  busybox(name: string, on?: readonly TestHost[]): Promise<void>;
  /** Ends everything on them and removes all their files, links and addresses. */
  close(): void;
}

export interface TestHostsOptions {
  readonly count: number;
  /** The numbers of the hosts with Docker, from 1; all by default. */
  readonly docker?: readonly number[];
  /** The numbers of the hosts run by systemd, from 1; none by default. See `systemdMissing`. */
  readonly systemd?: readonly number[];
}

/** The missing requirements of `startHosts`, null if there are none. */
export function hostsMissing(): string | null {
  if (process.getuid?.() !== 0) return 'root';
  const programs = ['/usr/sbin/sshd', '/usr/sbin/dockerd', '/usr/bin/unshare', '/usr/bin/busybox'];
  return [...programs, '/usr/sbin/ip', '/usr/sbin/iptables'].find((it) => !existsSync(it)) ?? null;
}

/** The missing requirements of hosts run by systemd, null if there are none. */
export function systemdMissing(): string | null {
  const needed = ['/lib/systemd/systemd', '/sys/fs/cgroup/systemd'];
  return hostsMissing() ?? needed.find((it) => !existsSync(it)) ?? null;
}

/** Creates hosts from namespaces of this computer; several sets can run at the same time. */
export async function startHosts({
  count,
  docker,
  systemd = [],
}: TestHostsOptions): Promise<TestHosts> {
  const script = openHostScript({
    DOCKER: docker === undefined ? 'all' : docker.join(',') || 'none',
    SYSTEMD: systemd.join(','),
  });
  const { dir, base, network, close } = script;
  const act = async (...args: string[]) => void (await script.run(args));
  try {
    const stdout = await script.run(['up', String(count)]);
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
          exec: (command) => script.run(['exec', number, command]),
          cut: () => script.runSync('cut', number),
          restore: () => script.runSync('restore', number),
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
    const keyPath = join(base, 'id');
    return {
      hosts,
      keyPath,
      gateway: `${network}.1`,
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

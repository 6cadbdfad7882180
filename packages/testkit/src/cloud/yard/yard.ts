/**
 * Real hosts for the machines of simulated clouds: namespaces on one bridge, each with an address, a root file
 * system, a host key and an sshd of its own; user data is executed by the real cloud-init.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type HostScript, openHostScript } from '../../host-script.ts';
import { hostsMissing } from '../../hosts.ts';
import type { VmHostOrder, VmHosts } from '../hosts.ts';
import { HostNumbers } from './host-numbers.ts';
import { type MetadataServer, startMetadata } from './metadata.ts';

const run = promisify(execFile);
const GET_CLOUD_INIT = resolve(import.meta.dirname, '../../../hosts/get-cloud-init.sh');
const DOWNLOAD_MS = 10 * 60_000;
/** More would keep each other, and other suites, from progress. */
const MAX_HOSTS = 8;
const WATCH_MS = 250;

export interface YardOptions {
  /** Whether its hosts have a Docker daemon; by default they do not. */
  readonly docker?: boolean;
}

export interface Yard extends VmHosts {
  /** Machines that have a host now, also those that still boot. */
  readonly ids: readonly string[];
  /** The address of this computer for the hosts. */
  readonly gateway: string;
  /** Where its hosts have their files. */
  readonly dir: string;
  /** Runs a command as root, whatever keys it accepts besides; rejects if it fails. */
  exec(id: string, command: string): Promise<string>;
  /** The number of its folder below `base` in `dir`, once it has booted. */
  numberOf(id: string): Promise<number>;
  /** The first line of its public host key, once it has booted. */
  hostKey(id: string): Promise<string>;
  /** Ends all hosts and removes what they have left. */
  close(): Promise<void>;
}

/** Names what this computer lacks to start a yard; null = nothing. */
export function yardMissing(): string | null {
  const needed = ['/usr/bin/python3', '/usr/bin/apt-get', '/usr/bin/sudo'];
  return hostsMissing() ?? needed.find((path) => !existsSync(path)) ?? null;
}

export async function startYard({ docker = false }: YardOptions = {}): Promise<Yard> {
  const script = openHostScript({ DOCKER: docker ? 'all' : 'none' });
  try {
    await script.run(['open']);
    const metadata = await startMetadata(`${script.network}.1`);
    return new NamespaceYard(script, metadata);
  } catch (error) {
    script.close();
    throw error;
  }
}

interface Host {
  readonly order: VmHostOrder;
  /** Null until it is its turn. */
  number: number | null;
  isEnded: boolean;
  /** Watches whether it is powered off; null = it still boots. */
  watch: NodeJS.Timeout | null;
  booted: Promise<string>;
}

class NamespaceYard implements Yard {
  readonly gateway: string;
  readonly dir: string;
  readonly #script: HostScript;
  readonly #metadata: MetadataServer;
  readonly #hosts = new Map<string, Host>();
  readonly #numbers = new HostNumbers(MAX_HOSTS);

  constructor(script: HostScript, metadata: MetadataServer) {
    this.#script = script;
    this.#metadata = metadata;
    this.dir = script.dir;
    this.gateway = `${script.network}.1`;
  }

  get ids(): readonly string[] {
    return [...this.#hosts.keys()];
  }

  boot(order: VmHostOrder): Promise<string> {
    const host: Host = {
      ...{ order, number: null, isEnded: false, watch: null, booted: Promise.resolve('') },
    };
    this.#hosts.set(order.id, host);
    host.booted = this.#bootWhenPossible(host);
    return host.booted;
  }

  async #bootWhenPossible(host: Host): Promise<string> {
    const { order } = host;
    const number = await this.#numbers.take(order.reusesAddress);
    host.number = number;
    if (host.isEnded) throw new Error(`machine ${order.id} was ended before it booted`);
    const address = `${this.#script.network}.${10 + number}`;
    this.#metadata.set(address, order.metadata);
    writeSeed(join(this.#script.base, `seed-${number}`), order);
    const env = { METADATA_PORT: String(this.#metadata.port), ...(await cloudInitOf(order)) };
    await this.#script.run(['add', String(number)], env);
    this.#watch(host, number);
    return address;
  }

  /** Reports once that the first process of the host has ended without a request. */
  #watch(host: Host, number: number): void {
    const { onPowerOff } = host.order;
    if (onPowerOff === undefined) return;
    const pid = readFileSync(join(this.#script.base, String(number), 'unshare.pid'), 'utf8').trim();
    host.watch = setInterval(() => {
      if (host.isEnded || isAlive(pid)) return;
      clearInterval(host.watch ?? undefined);
      onPowerOff();
    }, WATCH_MS).unref();
  }

  async end(id: string): Promise<void> {
    const host = this.#hosts.get(id);
    if (host === undefined) return;
    host.isEnded = true;
    clearInterval(host.watch ?? undefined);
    // A host that boots is not removed half-way.
    await host.booted.catch(() => {});
    const { number } = host;
    if (number === null || !this.#hosts.delete(id)) return;
    this.#metadata.delete(`${this.#script.network}.${10 + number}`);
    await this.#script.run(['remove', String(number)]);
    this.#numbers.giveBack(number);
  }

  async reboot(id: string): Promise<void> {
    const number = String(await this.numberOf(id));
    await this.#script.run(['crash', number]);
    await this.#script.run(['boot', number]);
  }

  async exec(id: string, command: string): Promise<string> {
    return await this.#script.run(['exec', String(await this.numberOf(id)), command]);
  }

  async hostKey(id: string): Promise<string> {
    return (await this.exec(id, 'cat /etc/ssh/ssh_host_ed25519_key.pub')).trim();
  }

  async close(): Promise<void> {
    await Promise.all(this.ids.map((id) => this.end(id)));
    await this.#metadata.close();
    this.#script.close();
  }

  async numberOf(id: string): Promise<number> {
    const host = this.#hosts.get(id);
    await host?.booted;
    if (host?.number != null) return host.number;
    throw new Error(`machine ${id} has no host`);
  }
}

/** A process whose parent has not waited for it is a zombie. */
function isAlive(pid: string): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The files from which the host boots; see the script. */
function writeSeed(dir: string, order: VmHostOrder): void {
  const { name, id, loginUser, authorizedKeys, userData, hasSshd } = order;
  mkdirSync(dir, { recursive: true });
  const write = (file: string, text: string) => writeFileSync(join(dir, file), text);
  write('name', hostName(name) || hostName(id));
  write('user', loginUser);
  write('keys', authorizedKeys.map((key) => `${key}\n`).join(''));
  if (userData !== null) write('user-data', userData);
  if (!hasSshd) write('no-sshd', '');
}

const hostName = (text: string) =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '')
    .slice(0, 63);

async function cloudInitOf({ userData }: VmHostOrder): Promise<Readonly<Record<string, string>>> {
  if (userData === null) return {};
  const { stdout } = await run(GET_CLOUD_INIT, [], { timeout: DOWNLOAD_MS });
  return { CLOUD_INIT: stdout.trim() };
}

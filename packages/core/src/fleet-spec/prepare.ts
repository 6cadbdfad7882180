import { ENV_NAME, SERVER_HOST_PLACE, SSHHostParams } from '@dstack/contract';
import type { FleetSpec } from '@dstack/contract/wire';
import { maintenanceProblem } from '../maintenance/index.ts';
import {
  nameError,
  type PreparedFleetSpec,
  type SpecError,
  specError,
} from '../run-spec/result.ts';

export type SshConfig = NonNullable<FleetSpec['configuration']['ssh_config']>;
type Key = { readonly public: string; readonly private?: string | null };

/** A host with the fleet's common settings filled in. */
export interface FleetHost {
  readonly hostname: string;
  readonly user: string | null;
  readonly port: number | null;
  readonly key: Key | null;
  readonly internalIp: string | null;
  readonly blocks: number | 'auto' | null;
  /** USD per hour. */
  readonly price: number;
  /** The jump host, through which the server connects to the host. */
  readonly proxyJump: FleetHostProxy | null;
}

export interface FleetHostProxy {
  readonly hostname: string;
  readonly user: string;
  readonly port: number | null;
  readonly key: Key | null;
}

export interface FleetSpecContext {
  /**
   * Addresses (see `hostAddress`) that fleets of any project hold, with the fleet's name; null if
   * the caller may not see that fleet.
   */
  readonly hostsInUse?: ReadonlyMap<string, string | null>;
  /** The spec of the fleet that is updated; null = a new one, absent = not known. */
  readonly current?: FleetSpec | null;
  /** The client has all of our keys: one that it leaves out is removed. Default: it has. */
  readonly isOurs?: boolean;
}

const SSH_PORT = 22;

/**
 * Fields that describe how instances are created. SSH hosts are not created, so their fleets may
 * not have them.
 */
const CLOUD_FIELDS = [
  'reservation',
  'resources',
  'backends',
  'regions',
  'availability_zones',
  'instance_types',
  'spot_policy',
  'retry',
  'max_price',
  'idle_duration',
  'tags',
  'backend_options',
] as const;

/** The fleet spec as it is planned, stored and compared, or why the server refuses it. */
export function prepareFleetSpec(
  spec: FleetSpec,
  context: FleetSpecContext = {},
): PreparedFleetSpec {
  const { configuration } = spec;
  const { name, nodes, ssh_config: ssh } = configuration;
  const wrongName = name == null ? null : nameError(name);
  if (wrongName) return wrongName;
  if (name === SERVER_HOST_PLACE && context.current === null) {
    return specError(`The name ${name} is reserved for the server's machine`);
  }
  if (nodes != null && ssh != null) {
    return specError('`nodes` and `ssh_config` exclude each other: a fleet has one of them');
  }
  if (nodes == null && ssh == null) {
    return specError('A fleet needs `nodes` (cloud instances) or `ssh_config` (hosts)');
  }
  const error = ssh ? sshError(spec, ssh, context) : cloudError(spec);
  if (error) return error;
  const { maintenance } = configuration;
  const wrongWindows = maintenance ? maintenanceProblem(maintenance) : null;
  if (wrongWindows) return specError(`\`maintenance\` ${wrongWindows}`);
  const current = context.current ?? null;
  const priced = context.isOurs === false ? withKeptPrices(spec, current) : spec;
  return { ok: true, spec: withKeptKeys(priced, current) };
}

/**
 * dstack 0.22.5 does not send these keys: a missing key keeps the stored value, and only null removes
 * it.
 */
function withKeptKeys(spec: FleetSpec, current: FleetSpec | null): FleetSpec {
  const { configuration } = spec;
  const { shared_volumes_path: path, preemption, maintenance, ...others } = configuration;
  const known = current?.configuration;
  const kept = path === undefined ? known?.shared_volumes_path : path;
  const keptPreemption = preemption === undefined ? known?.preemption : preemption;
  const keptMaintenance = maintenance === undefined ? known?.maintenance : maintenance;
  const own = {
    ...(kept ? { shared_volumes_path: kept } : {}),
    ...(keptPreemption ? { preemption: keptPreemption } : {}),
    ...(keptMaintenance ? { maintenance: keptMaintenance } : {}),
  };
  return { ...spec, configuration: { ...others, ...own } };
}

/** The stored prices of hosts, for clients of dstack 0.22.5, which do not send them. */
function withKeptPrices(spec: FleetSpec, current: FleetSpec | null): FleetSpec {
  const [to, from] = [spec.configuration.ssh_config, current?.configuration.ssh_config];
  if (!to || !from) return spec;
  const stored = new Map(
    fleetHosts(from).map((host, i) => [hostAddress(host), ownPrice(from.hosts[i])]),
  );
  const hosts = fleetHosts(to).map((host, i) => {
    const entry = to.hosts[i] ?? host.hostname;
    const price = ownPrice(entry) ?? stored.get(hostAddress(host));
    if (price == null) return entry;
    return {
      ...SSHHostParams.parse(typeof entry === 'string' ? { hostname: entry } : entry),
      price,
    };
  });
  const common = to.price ?? from.price;
  const ssh_config = { ...to, hosts, ...(common == null ? {} : { price: common }) };
  return { ...spec, configuration: { ...spec.configuration, ssh_config } };
}

function ownPrice(host: SshConfig['hosts'][number] | undefined): number | null {
  return typeof host === 'object' ? (host.price ?? null) : null;
}

/** The most hosts of one fleet. */
const MOST_HOSTS = 1000;

/** The most instances that a fleet creates at once. */
const MOST_INSTANCES = 500;

function cloudError({ configuration }: FleetSpec): SpecError | null {
  const { nodes } = configuration;
  const wanted = Math.max(nodes?.min ?? 0, nodes?.target ?? 0);
  if (wanted > MOST_INSTANCES) {
    return specError(
      `\`nodes\` asks for ${wanted} instances from the start; at most ${MOST_INSTANCES} are allowed`,
    );
  }
  const wrong = [
    ...(Object.keys(configuration.env).length > 0 ? ['env'] : []),
    ...(configuration.shared_volumes_path ? ['shared_volumes_path'] : []),
  ];
  if (wrong.length === 0) return null;
  return specError(`Only fleets with \`ssh_config\` may have: ${wrong.join(', ')}`);
}

function sshError(spec: FleetSpec, ssh: SshConfig, context: FleetSpecContext): SpecError | null {
  const { configuration } = spec;
  const wrong = CLOUD_FIELDS.filter((field) => configuration[field] != null);
  if (wrong.length > 0) {
    return specError(`Fleets with \`ssh_config\` may not have: ${wrong.join(', ')}`);
  }
  for (const [name, value] of Object.entries(configuration.env)) {
    const wrong = envProblem(name, value);
    if (wrong) return specError(`env: ${wrong}`);
  }
  if (ssh.hosts.length > MOST_HOSTS) {
    return specError(
      `A fleet may have ${MOST_HOSTS} hosts at most, this one has ${ssh.hosts.length}`,
    );
  }
  const hosts = fleetHosts(ssh);
  const keys = new KeyCheck();
  for (const host of hosts) {
    const error = hostError(host, keys, context);
    if (error) return error;
  }
  return addressesError(ssh, hosts);
}

/**
 * These become environment variables of a program on the host, which restricts names and values.
 */
function envProblem(name: string, value: unknown): string | null {
  if (!ENV_NAME.test(name)) {
    return `${JSON.stringify(name)} is no name of a variable: use letters, digits and _`;
  }
  if (typeof value !== 'string') return `the variable ${name} has no value`;
  return value.includes('\0') ? `the value of ${name} holds a NUL character` : null;
}

/** All hosts of an SSH fleet, each with the fleet's user, port and key where it has none. */
export function fleetHosts(ssh: SshConfig): FleetHost[] {
  return ssh.hosts.map((entry) => {
    const host = typeof entry === 'string' ? { hostname: entry } : entry;
    const own = typeof entry === 'string' ? null : entry;
    return {
      hostname: host.hostname,
      user: own?.user ?? ssh.user ?? null,
      port: own?.port ?? ssh.port ?? null,
      key: own?.ssh_key ?? ssh.ssh_key ?? null,
      internalIp: own?.internal_ip ?? null,
      blocks: own?.blocks ?? null,
      price: own?.price ?? ssh.price ?? 0,
      proxyJump: proxyOf(own?.proxy_jump ?? ssh.proxy_jump ?? null),
    };
  });
}

function proxyOf(jump: SshConfig['proxy_jump'] | null): FleetHostProxy | null {
  if (!jump) return null;
  return {
    hostname: jump.hostname,
    user: jump.user,
    port: jump.port ?? null,
    key: jump.ssh_key ?? null,
  };
}

/** The address by which two fleets are found to contain the same host. */
export function hostAddress(host: Pick<FleetHost, 'hostname' | 'port'>): string {
  return `${host.hostname.toLowerCase()}:${host.port ?? SSH_PORT}`;
}

function hostError(host: FleetHost, keys: KeyCheck, context: FleetSpecContext): SpecError | null {
  const { hostname, user, key } = host;
  if (!user) return specError(`Host ${hostname} has no user. Set \`user\` for it or for all hosts`);
  if (!key?.private) {
    return specError(`Host ${hostname} has no key. Set \`identity_file\` for it or for all hosts`);
  }
  const wrongKey = keys.problem(key.private);
  if (wrongKey) return specError(`Host ${hostname}: ${wrongKey}`);
  const wrongProxy = proxyProblem(host.proxyJump, keys);
  if (wrongProxy) return specError(`Host ${hostname}: ${wrongProxy}`);
  const holder = context.hostsInUse?.get(hostAddress(host));
  return holder === undefined ? null : specError(heldBy(hostname, holder));
}

function heldBy(hostname: string, fleet: string | null): string {
  return fleet === null
    ? `Host ${hostname} belongs to another fleet already, in another project`
    : `Host ${hostname} belongs to another fleet already: take it out of ${fleet}, or delete that fleet`;
}

function proxyProblem(proxy: FleetHostProxy | null, keys: KeyCheck): string | null {
  if (proxy === null) return null;
  if (!proxy.key?.private) return `the jump host ${proxy.hostname} has no key`;
  const problem = keys.problem(proxy.key.private);
  return problem && `the jump host ${proxy.hostname}: ${problem}`;
}

const PEM_LABEL = /^-----BEGIN (.+?)-----/m;
const KEY_LABELS = ['RSA PRIVATE KEY', 'EC PRIVATE KEY', 'PRIVATE KEY', 'OPENSSH PRIVATE KEY'];

/** An RSA key of 16384 bits has 13 000 characters. Each host is stored with its own copy. */
const LONGEST_KEY = 16 * 1024;

/** Checks each key once: a thousand hosts may share one. */
class KeyCheck {
  readonly #known = new Map<string, string | null>();

  /** Null: the key is valid. */
  problem(key: string): string | null {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const problem =
      key.length > LONGEST_KEY
        ? `the key has ${key.length} characters; no private key has more than ${LONGEST_KEY}`
        : keyProblem(key);
    this.#known.set(key, problem);
    return problem;
  }
}

/** Checks the form of a private key without its numbers; its kind is determined when it is used. */
function keyProblem(text: string): string | null {
  const label = PEM_LABEL.exec(text)?.[1];
  if (isLocked(label, text)) {
    return 'the key has a passphrase, which the server cannot ask for: use one without, or make a copy of this key and take the passphrase off it by `ssh-keygen -p -f COPY`';
  }
  if (label && KEY_LABELS.includes(label)) return null;
  return 'Unsupported key type. Use an RSA, ECDSA or Ed25519 key without a passphrase';
}

/** How OpenSSH's own format begins, in base64: its name, then the name of the cipher (`none`). */
const OPENSSH = 'b3BlbnNzaC1rZXktdjEA';
const OPENSSH_UNLOCKED = `${OPENSSH}AAAABG5vbmU`;

function isLocked(label: string | undefined, text: string): boolean {
  if (label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type: 4,ENCRYPTED/m.test(text)) return true;
  const body = text.replace(/^-----.*/gm, '').trimStart();
  return body.startsWith(OPENSSH) && !body.startsWith(OPENSSH_UNLOCKED);
}

function addressesError(ssh: SshConfig, hosts: readonly FleetHost[]): SpecError | null {
  const seen = new Set<string>();
  const twice = hosts.map(hostAddress).find((address) => seen.size === seen.add(address).size);
  if (twice) return specError(`Host ${twice} is listed twice`);
  const internal = hosts.filter((host) => host.internalIp !== null).length;
  if (internal > 0 && internal < hosts.length) {
    return specError('`internal_ip` must be set for all hosts or for none');
  }
  if (internal > 0 && ssh.network) {
    return specError('`internal_ip` and `network` exclude each other');
  }
  return null;
}

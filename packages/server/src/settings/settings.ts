import { isIP } from 'node:net';
import { availableParallelism, homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { BACKEND_KINDS, type ConfiguredKind } from '@dstack/backends';
import {
  choiceVariable,
  durationOrOff,
  integerVariable,
  isSet,
  type ProcessEnv,
  SettingsError,
} from '@dstack/contract';
import type { EngineSettings, PreemptionSettings } from '@dstack/core';
import type { OriginPattern } from '@dstack/proxy';
import type { GatewayDefaults } from '../gateways/gateway-settings.ts';
import type { HostShellSetting } from '../hosts/host-shells.ts';
import { type LocalSettings, localSettings } from '../hosts/local-settings.ts';
import type { ImagePlanSettings } from '../images/image-plans.ts';
import { type OidcSettings, oidcSettings } from '../oidc/oidc-settings.ts';
import { parseOutgoingAllow } from '../outgoing/outgoing-rules.ts';
import { serverFolder } from '../process/server-folders.ts';
import { serverHostSize, workersFor } from '../proxy-workers/worker-count.ts';
import type { RetentionPolicy } from '../retention/policy.ts';
import { retentionSettings } from '../retention/retention-settings.ts';
import { type SshEntrySettings, sshEntrySettings } from '../ssh-entry/entry-settings.ts';
import type { SweepPolicy } from '../sweep/sweep-backend.ts';
import { atMost, DAY_SECONDS, seconds } from './bounded-variables.ts';
import { gatewayDefaults } from './gateway-settings.ts';
import { type Limits, limits } from './limit-settings.ts';
import { serviceOriginSettings } from './service-origin-settings.ts';

/** All of the server's settings, compiled once at start from environment and options. */
export interface ServerSettings {
  readonly host: string;
  readonly port: number;
  /** Where clients reach this server; null = the address it listens on. */
  readonly url: string | null;
  /** Host names of services (`DSTACK_SERVER_SERVICES_URL`); null = they have none. */
  readonly serviceOrigins: OriginPattern | null;
  /** Addresses whose `X-Forwarded-*` headers are trusted (`DSTACK_SERVER_TRUSTED_PROXIES`). */
  readonly trustedProxies: readonly string[];
  readonly dir: string;
  readonly databaseUrl: string;
  readonly database: DatabaseSettings;
  readonly adminToken: string | null;
  /** Static token of the SSH proxy (`DSTACK_SSHPROXY_API_TOKEN`); null = there is none. */
  readonly sshProxyToken: string | null;
  /** SSH entry of this server to jobs (`DSTACK_SERVER_SSH_PORT`); null = there is none. */
  readonly sshEntry: SshEntrySettings | null;
  /**
   * Prometheus: whether `/metrics` exists, and the bearer token that it requires (null = public).
   */
  readonly metrics: { readonly enabled: boolean; readonly token: string | null };
  readonly oidc: OidcSettings;
  /** Addresses that the server may connect to on behalf of users, beside the public Internet. */
  readonly outgoingAllow: readonly string[];
  /** Git repository of templates for projects without one. */
  readonly templatesRepo: string | null;
  /** Backends may use the credentials of the server's environment. */
  readonly defaultCredentials: boolean;
  readonly logLevel: string;
  readonly logFormat: 'json' | 'pretty';
  readonly configDisabled: boolean;
  /** Every statement goes to the log (`DSTACK_SQL_ECHO_ENABLED`), without its values. */
  readonly sqlEcho: boolean;
  /** Whether to make `main` the default project of the command line: yes, no, or only if there is none. */
  readonly updateDefaultProject: boolean | null;
  readonly local: LocalSettings;
  /** Whether projects may have simulated backends: for tests and benchmarks. */
  readonly sim: boolean;
  /** Backends that create machines, each with its own settings. */
  readonly backendKinds: readonly ConfiguredKind[];
  readonly engine: EngineSettings;
  /** Seconds in which half of what was used of shared pools is forgotten (`DSTACK_SHARE_HALF_LIFE`). */
  readonly shareHalfLife: number;
  readonly limits: Limits;
  readonly images: ImageSettings;
  /** Who gets a shell of hosts of SSH fleets by `ssh <run>-host` (`DSTACK_SERVER_HOST_SHELL`). */
  readonly hostShell: HostShellSetting;
  /**
   * Seconds that machines created by providers live without this server (`DSTACK_AGENT_LEASE`); null =
   * until it ends them.
   */
  readonly agentLeaseSeconds: number | null;
  /** Whether orphans at providers are only reported or also ended (`DSTACK_SERVER_SWEEP`). */
  readonly sweep: SweepPolicy;
  /** Where prices of providers are refreshed from (`DSTACK_CATALOG_URL`); null = the samples of the product. */
  readonly catalogUrl: string | null;
  readonly retention: RetentionPolicy;
  /** Seconds without a byte after which a request to a service fails. */
  readonly serviceTimeoutSeconds: number;
  /** Which part (0 to 1) of the requests to services is written to the log. */
  readonly accessLogPart: number;
  /** Bytes of a request to a service; 0 = no limit. */
  readonly serviceMaxBody: number;
  /** How many requests may wait for the first replica of one service. */
  readonly serviceMaxHeld: number;
  /** Who has the server's address: nginx, which answers plain requests to services itself, or the workers. */
  readonly proxy: 'nginx' | 'workers';
  /** Processes that serve services; 0 = the server itself does. */
  readonly proxyWorkers: number;
  readonly gateways: GatewayDefaults;
  readonly shutdown: ShutdownSettings;
}

/** Graceful shutdown. */
export interface ShutdownSettings {
  /** How long health checks fail before new requests are refused. */
  readonly delaySeconds: number;
  /** Time limit of pending requests. */
  readonly limitSeconds: number;
}

/** Settings of PostgreSQL; SQLite has one connection and does not wait. */
export interface DatabaseSettings {
  /** Connections that stay open after they were needed. */
  readonly poolSize: number;
  /** Connections above these while they are needed. */
  readonly maxOverflow: number;
  /** Time limit of a statement; 0 = none. */
  readonly commandTimeoutSeconds: number;
}

export interface ImageSettings {
  readonly base: string;
  readonly baseVersion: string;
  readonly ubuntuVersion: string;
  readonly dind: string;
  /** Python of the default image if a configuration sets none. */
  readonly python: string;
  readonly defaultRegistry: string | null;
  readonly onHosts: ImagePlanSettings;
}

/** Options of the command line; each takes precedence over its variable. */
export interface CommandLineSettings {
  readonly host?: string;
  readonly port?: number;
  readonly logLevel?: string;
  readonly token?: string;
  readonly updateDefaultProject?: boolean;
}

export function compileSettings(
  env: ProcessEnv,
  options: CommandLineSettings = {},
): ServerSettings {
  const dir = resolve(env.DSTACK_SERVER_DIR || join(env.HOME || homedir(), '.dstack', 'server'));
  const host = options.host ?? env.DSTACK_SERVER_HOST ?? '127.0.0.1';
  const port = options.port ?? integerVariable(env, 'DSTACK_SERVER_PORT', 3000);
  const url = env.DSTACK_SERVER_URL || null;
  const serviceTimeoutSeconds = integerVariable(env, 'DSTACK_SERVICE_CLIENT_TIMEOUT', 300);
  return {
    host,
    port,
    url,
    serviceOrigins: serviceOriginSettings(env, url),
    trustedProxies: trustedProxies(env),
    dir,
    databaseUrl:
      env.DSTACK_DATABASE_URL || `sqlite:///${join(serverFolder(dir, 'data'), 'dstack.db')}`,
    database: database(env),
    sshProxyToken: env.DSTACK_SSHPROXY_API_TOKEN || null,
    sshEntry: sshEntrySettings(env, { host, port, url }),
    metrics: {
      enabled: isSet(env, 'DSTACK_ENABLE_PROMETHEUS_METRICS'),
      token: env.DSTACK_PROMETHEUS_AUTH_TOKEN || null,
    },
    oidc: oidcSettings(env, url),
    outgoingAllow: parseOutgoingAllow(env.DSTACK_SERVER_OUTGOING_ALLOW ?? ''),
    templatesRepo: env.DSTACK_SERVER_TEMPLATES_REPO || null,
    defaultCredentials: !isSet(env, 'DSTACK_DEFAULT_CREDS_DISABLED'),
    adminToken: options.token || env.DSTACK_SERVER_ADMIN_TOKEN || null,
    logLevel: logLevel(options.logLevel ?? env.DSTACK_SERVER_LOG_LEVEL ?? 'info'),
    logFormat: logFormat(env),
    sqlEcho: isSet(env, 'DSTACK_SQL_ECHO_ENABLED'),
    configDisabled: isSet(env, 'DSTACK_SERVER_CONFIG_DISABLED'),
    updateDefaultProject: options.updateDefaultProject ?? updateDefaultProject(env),
    local: localSettings(env),
    sim: env.DSTACK_SIM === '1',
    backendKinds: BACKEND_KINDS.map((kind) => kind.configure(env, { url })),
    engine: engineSettings(env),
    shareHalfLife: shareHalfLife(env),
    limits: limits(env),
    images: {
      base: env.DSTACK_DOCKER_BASE_IMAGE || 'dstackai/base',
      baseVersion: env.DSTACK_DOCKER_BASE_IMAGE_VERSION || '0.16',
      ubuntuVersion: env.DSTACK_DOCKER_BASE_IMAGE_UBUNTU_VERSION || '24.04',
      dind: env.DSTACK_DIND_IMAGE || 'dstackai/dind',
      python: env.DSTACK_DEFAULT_PYTHON || '3.12',
      defaultRegistry: env.DSTACK_SERVER_DEFAULT_DOCKER_REGISTRY || null,
      onHosts: imagesOnHosts(env),
    },
    hostShell: choiceVariable(env, 'DSTACK_SERVER_HOST_SHELL', ['managers', 'off', 'users']),
    agentLeaseSeconds: durationOrOff(env, 'DSTACK_AGENT_LEASE', { fallback: 7200, least: 60 }),
    catalogUrl: catalogUrl(env),
    sweep: choiceVariable(env, 'DSTACK_SERVER_SWEEP', ['report', 'terminate']),
    retention: retentionSettings(env),
    serviceTimeoutSeconds,
    gateways: gatewayDefaults(env, { timeoutSeconds: serviceTimeoutSeconds }),
    accessLogPart: percentage(env, 'DSTACK_SERVER_ACCESS_LOG') / 100,
    serviceMaxBody: integerVariable(env, 'DSTACK_SERVER_SERVICE_MAX_BODY', 0),
    serviceMaxHeld: integerVariable(env, 'DSTACK_SERVER_SERVICE_MAX_HELD', 500),
    ...proxySettings(env),
    shutdown: {
      delaySeconds: seconds(env, 'DSTACK_SERVER_SHUTDOWN_DELAY', 0),
      limitSeconds: seconds(env, 'DSTACK_SERVER_SHUTDOWN_TIMEOUT', 25),
    },
  };
}

/**
 * Names of networks that are allowed beside addresses and `address/bits` in the list of proxies.
 */
const NETWORKS = ['loopback', 'linklocal', 'uniquelocal'];

function trustedProxies(env: ProcessEnv): readonly string[] {
  const text = env.DSTACK_SERVER_TRUSTED_PROXIES ?? '';
  const proxies = text.split(',').map((part) => part.trim());
  return proxies.filter((part) => {
    if (part === '') return false;
    if (NETWORKS.includes(part) || isNetwork(part)) return true;
    const allowed = `addresses, networks such as 10.0.0.0/8, ${NETWORKS.join(', ')}`;
    throw new SettingsError(
      `DSTACK_SERVER_TRUSTED_PROXIES names ${JSON.stringify(part)}; it may name ${allowed}`,
    );
  });
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
  );
}

function percentage(env: ProcessEnv, name: string): number {
  const value = integerVariable(env, name, 0);
  if (value <= 100) return value;
  throw new SettingsError(`${name} is ${value}; it is a percentage, so it may be at most 100`);
}

const MOST_WORKERS = 64;

function proxyWorkers(env: ProcessEnv): number {
  return atMost(MOST_WORKERS, env, 'DSTACK_SERVER_PROXY_WORKERS', workersFor(serverHostSize()));
}

function proxySettings(env: ProcessEnv): Pick<ServerSettings, 'proxy' | 'proxyWorkers'> {
  const proxy = choiceVariable(env, 'DSTACK_SERVER_PROXY', ['workers', 'nginx']);
  const workers = proxyWorkers(env);
  if (proxy === 'nginx' && workers === 0) {
    throw new SettingsError(
      'DSTACK_SERVER_PROXY is nginx, which needs workers behind it; DSTACK_SERVER_PROXY_WORKERS is 0 (without a value, it is so with less than 1 GiB of memory): set it to 1 or more',
    );
  }
  if (proxy === 'nginx' && percentage(env, 'DSTACK_SERVER_ACCESS_LOG') > 0) {
    throw new SettingsError(
      'DSTACK_SERVER_PROXY is nginx, whose requests are not written to the log of the server: unset it, or DSTACK_SERVER_ACCESS_LOG; `dstack logs --access` shows the latest requests in both cases',
    );
  }
  return { proxy, proxyWorkers: workers };
}

function database(env: ProcessEnv): DatabaseSettings {
  const poolSize = integerVariable(env, 'DSTACK_DB_POOL_SIZE', 10);
  if (poolSize < 1) {
    throw new SettingsError(`DSTACK_DB_POOL_SIZE is ${poolSize}; it may be at least 1`);
  }
  const commandTimeoutSeconds = integerVariable(env, 'DSTACK_DB_COMMAND_TIMEOUT', 60);
  if (commandTimeoutSeconds > DAY_SECONDS) {
    throw new SettingsError(
      `DSTACK_DB_COMMAND_TIMEOUT is ${commandTimeoutSeconds}; it may be at most ${DAY_SECONDS} seconds, or 0 for no limit`,
    );
  }
  const maxOverflow = integerVariable(env, 'DSTACK_DB_MAX_OVERFLOW', 10);
  return { poolSize, maxOverflow, commandTimeoutSeconds };
}

function engineSettings(env: ProcessEnv): EngineSettings {
  const tolerance = env.DSTACK_SERVER_UNREACHABLE_TOLERANCE;
  const mode = integerVariable(env, 'DSTACK_SERVER_JOB_NETWORK_MODE', 1);
  if (mode !== 1 && mode !== 2 && mode !== 3) {
    throw new SettingsError(`DSTACK_SERVER_JOB_NETWORK_MODE is ${mode}; it may be 1, 2 or 3`);
  }
  const slots = Math.max(4, availableParallelism());
  return {
    unreachableTolerance: tolerance
      ? integerVariable(env, 'DSTACK_SERVER_UNREACHABLE_TOLERANCE', 0)
      : null,
    maxOffersTried: integerVariable(env, 'DSTACK_SERVER_MAX_OFFERS_TRIED', 25),
    jobNetworkMode: mode,
    localMaxInstances: integerVariable(env, 'DSTACK_LOCAL_MAX_INSTANCES', slots),
    gatewayMoveSeconds: integerVariable(env, 'DSTACK_GATEWAY_MOVE_SECONDS', 1800),
    preemption: preemptionSettings(env),
  };
}

/** Never off: usage that is never forgotten would keep a project behind for ever. */
function shareHalfLife(env: ProcessEnv): number {
  const name = 'DSTACK_SHARE_HALF_LIFE';
  const seconds = durationOrOff(env, name, { fallback: 7 * 86_400, least: 60 });
  if (seconds !== null) return seconds;
  throw new SettingsError(
    `${name} cannot be off; it is a duration such as 7d (without weights, nothing is shared)`,
  );
}

function preemptionSettings(env: ProcessEnv): PreemptionSettings {
  const read = (name: string, fallback: number, least: number): number => {
    const seconds = durationOrOff(env, name, { fallback, least });
    return seconds ?? 0;
  };
  return {
    mode: choiceVariable(env, 'DSTACK_PREEMPTION', ['reclaim', 'off', 'priority']),
    minRuntime: read('DSTACK_PREEMPTION_MIN_RUNTIME', 300, 0),
    grace: read('DSTACK_PREEMPTION_GRACE', 60, 1),
  };
}

/** 0 means never. */
function imagesOnHosts(env: ProcessEnv): ImagePlanSettings {
  const percent = integerVariable(env, 'DSTACK_SERVER_IMAGES_DISK_HIGH_PERCENT', 90);
  if (percent > 100) {
    throw new SettingsError(`DSTACK_SERVER_IMAGES_DISK_HIGH_PERCENT is ${percent}, over 100`);
  }
  return {
    fetchedAhead: integerVariable(env, 'DSTACK_SERVER_IMAGES_FETCHED_AHEAD', 3),
    policy: {
      disk_high_percent: percent || null,
      unused_for: integerVariable(env, 'DSTACK_SERVER_IMAGES_UNUSED_SECONDS', 0) || null,
    },
  };
}

const LOG_LEVELS = ['debug', 'info', 'warning', 'error', 'critical'];

/** Names of the logger itself, which are accepted too. */
const LOGGER_LEVELS = ['trace', 'warn', 'fatal'];

function logLevel(text: string): string {
  const level = text.toLowerCase();
  if ([...LOG_LEVELS, ...LOGGER_LEVELS].includes(level)) return level;
  throw new SettingsError(
    `the log level is ${JSON.stringify(text)}; it may be ${LOG_LEVELS.join(', ')}`,
  );
}

function logFormat(env: ProcessEnv): 'json' | 'pretty' {
  const format = env.DSTACK_SERVER_LOG_FORMAT;
  if (!format) return process.stdout.isTTY ? 'pretty' : 'json';
  return format === 'json' ? 'json' : 'pretty';
}

function updateDefaultProject(env: ProcessEnv): boolean | null {
  if (isSet(env, 'DSTACK_UPDATE_DEFAULT_PROJECT')) return true;
  return isSet(env, 'DSTACK_DO_NOT_UPDATE_DEFAULT_PROJECT') ? false : null;
}

function catalogUrl(env: ProcessEnv): string | null {
  const text = env.DSTACK_CATALOG_URL?.trim();
  if (!text) return null;
  const { protocol } = URL.parse(text) ?? {};
  if (protocol === 'https:' || protocol === 'http:') return text;
  throw new SettingsError(
    `DSTACK_CATALOG_URL is ${JSON.stringify(text)}; it must be an http or https URL of a catalogue`,
  );
}

import { isAbsolute } from 'node:path';
import { shellJoin } from '@dstack/contract/shell';
import { type EnvValue, resolveEnv } from '../../configuration/env.ts';
import { replaceReferences } from '../../configuration/interpolate.ts';
import type { ApplicableRun } from '../../configuration/types.ts';
import { CliError, UsageError } from '../../errors.ts';
import type { ProfileFlags, RunFlags } from './flags.ts';

type Resources = NonNullable<ApplicableRun['resources']>;

/** The fields of a run's configuration that flags can replace. */
interface Overridable {
  readonly resources: Resources;
  readonly ports?: readonly MappedPort[];
  readonly [field: string]: unknown;
}

export interface MappedPort {
  readonly local_port: number | null;
  readonly container_port: number;
}

type FlagValues = Pick<RunFlags, 'cpu' | 'gpu' | 'memory' | 'disk' | 'ports' | 'profile'>;

/** The flag that sets a field of the configuration, for error messages. */
const FLAG_OF_FIELD: Readonly<Record<string, string>> = {
  'resources.cpu': '--cpu',
  'resources.gpu': '--gpu',
  'resources.memory': '--memory',
  'resources.disk': '--disk',
  ports: '--port',
  max_price: '--max-price',
  max_duration: '--max-duration',
  idle_duration: '--idle-duration',
  backends: '--backend',
  regions: '--region',
  instance_types: '--instance-type',
  fleets: '--fleet',
  retry: '--retry-duration',
};

/**
 * Parses flag values with the configuration's own grammar: they are placed into a small
 * configuration, which is parsed like any other.
 */
export async function parseFlagValues(flags: FlagValues): Promise<Overridable> {
  const resources = present({
    cpu: flags.cpu,
    gpu: flags.gpu,
    memory: flags.memory,
    disk: flags.disk,
  });
  const document = {
    type: 'task',
    commands: [':'],
    resources,
    ...(flags.ports.length > 0 ? { ports: flags.ports } : {}),
    ...profileFields(flags.profile),
  };
  const { parseConfiguration } = await import('@dstack/contract');
  const text = JSON.stringify(document);
  const parsed = parseConfiguration(text, 'configuration');
  if (parsed.ok) return parsed.value as unknown as Overridable;
  const problem = parsed.errors[0];
  if (problem === undefined) throw new UsageError('Cannot read the options');
  const { path } = problem;
  const known = Object.entries(FLAG_OF_FIELD).find(([field]) => path.startsWith(field));
  throw new UsageError(`Cannot read ${known?.[1] ?? path}`, { why: `it ${problem.message}` });
}

function profileFields(flags: ProfileFlags): Record<string, unknown> {
  return {
    ...present({
      max_price: flags.maxPrice,
      max_duration: flags.maxDuration,
      idle_duration: flags.dontDestroy ? -1 : flags.idleDuration,
      creation_policy: flags.reuse ? 'reuse' : null,
      spot_policy: flags.spotPolicy,
      retry: flags.retryDuration !== null ? { duration: flags.retryDuration } : flags.retry,
    }),
    ...(flags.backends.length > 0 ? { backends: flags.backends } : {}),
    ...(flags.regions.length > 0 ? { regions: flags.regions } : {}),
    ...(flags.instanceTypes.length > 0 ? { instance_types: flags.instanceTypes } : {}),
    ...(flags.fleets.length > 0 ? { fleets: flags.fleets } : {}),
  };
}

/** Writes flags into a run's configuration. Flags take precedence over the file. */
export async function applyFlags(
  configuration: ApplicableRun,
  flags: FlagValues & { name: string | null },
): Promise<ApplicableRun> {
  const given = await parseFlagValues(flags);
  const resources: Record<string, unknown> = { ...configuration.resources };
  for (const field of ['cpu', 'gpu', 'memory', 'disk'] as const) {
    if (flags[field] !== null) resources[field] = given.resources[field];
  }
  const result: Record<string, unknown> = { ...configuration, resources };
  for (const field of Object.keys(profileFields(flags.profile))) result[field] = given[field];
  if (flags.name !== null) result.name = flags.name;
  if (configuration.type !== 'service') {
    result.ports = mergePorts(configuration.ports, flags.ports.length > 0 ? given.ports : []);
  }
  return result as ApplicableRun;
}

/** Replaces the configured mapping of the same container port, or adds one. */
export function mergePorts(
  configured: readonly MappedPort[] | null | undefined,
  flags: readonly MappedPort[] | undefined,
): MappedPort[] {
  unique('-p', flags ?? [], (p) => p.container_port);
  const merged = [...(configured ?? [])];
  for (const port of flags ?? []) {
    const at = merged.findIndex((p) => p.container_port === port.container_port);
    if (at >= 0) merged[at] = port;
    else merged.push(port);
  }
  unique('container', merged, (p) => p.container_port);
  unique('local', merged, (p) => p.local_port);
  return merged;
}

function unique(
  kind: string,
  ports: readonly MappedPort[],
  key: (port: MappedPort) => number | null,
): void {
  const seen = new Set<number>();
  for (const port of ports) {
    const n = key(port);
    if (n === null) continue;
    if (seen.has(n)) {
      throw new UsageError(`Port ${n} is already in use`, {
        why: `two mappings have the same ${kind} port`,
        next: `give one of them another local port: -p ${n + 1}:${port.container_port}`,
      });
    }
    seen.add(n);
  }
}

/**
 * Fills in what only the user's computer has: values of the environment and trailing arguments.
 * References to secrets and to other nodes are left to the server.
 */
export function resolveReferences(
  configuration: ApplicableRun,
  input: {
    readonly envFlags: readonly string[];
    readonly runArgs: readonly string[];
    readonly env: Readonly<Record<string, string | undefined>>;
  },
): ApplicableRun {
  const env = resolveEnv(
    configuration.env as Readonly<Record<string, EnvValue>>,
    input.envFlags,
    input.env,
  );
  const result: Record<string, unknown> = { ...configuration, env };
  const values = Object.fromEntries(Object.entries(env).map(([k, v]) => [`env.${k}`, v]));
  const inEnv = (text: string): string =>
    replaceReferences(text, values, { skip: ['secrets', 'array'], later: 'all' });
  if (configuration.registry_auth) {
    const { username, password } = configuration.registry_auth;
    result.registry_auth = { username: inEnv(username), password: inEnv(password) };
  }
  if (configuration.type === 'service' && configuration.probes) {
    result.probes = configuration.probes.map((probe) => ({
      ...probe,
      url: probe.url ? inEnv(probe.url) : probe.url,
      body: probe.body ? inEnv(probe.body) : probe.body,
      headers: probe.headers?.map((header) => ({ ...header, value: inEnv(header.value) })),
    }));
  }
  if (configuration.type !== 'dev-environment') {
    const args: Record<string, string> =
      input.runArgs.length > 0 ? { 'run.args': shellJoin(input.runArgs) } : {};
    const isArray = configuration.type === 'task' && configuration.array != null;
    const command = (text: string): string =>
      isArray
        ? replaceReferences(text, args, { skip: ['secrets', 'groups', 'array'], later: 'members' })
        : replaceReferences(text, args, { skip: ['secrets', 'groups'], later: 'groups' });
    result.commands = configuration.commands?.map(command);
    if (configuration.groups) {
      result.groups = configuration.groups.map((group) => ({
        ...group,
        ...(group.commands ? { commands: group.commands.map(command) } : {}),
      }));
    }
  }
  checkWorkingDirectory(configuration.working_dir);
  return result as ApplicableRun;
}

function checkWorkingDirectory(directory: string | null | undefined): void {
  if (!directory || isAbsolute(directory) || /^~(\/|$)/.test(directory)) return;
  throw new CliError('`working_dir` must be an absolute path, or start with ~/', {
    why: `it is "${directory}"`,
    next: `write working_dir: /${directory.replace(/^\.?\/?/, '')}`,
  });
}

function present(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== null && value !== undefined),
  );
}

import { ALL_GPU_NAMES, vendorOfGpu } from '../grammar/accelerators.ts';
import { parseCron } from '../grammar/cron.ts';
import { ENV_NAME, isResourceName } from '../grammar/names.ts';
import { nearest } from '../grammar/nearest.ts';
import { RESERVED_PORTS } from '../grammar/ports.ts';
import { Problem } from '../grammar/problem.ts';
import { hostVolumePlace } from '../grammar/volume-place.ts';
import type { DevEnvironmentConfiguration } from './dev-environment.ts';
import type { FleetConfiguration } from './fleet.ts';
import { joinTrap } from './joined-commands.ts';
import { isMap } from './schema-kit.ts';
import type { ServiceConfiguration } from './service.ts';
import type { TaskConfiguration } from './task.ts';

/** A note on a valid configuration that probably does not do what its author expects. */
export interface ConfigurationNote {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** The server, or the command line, will refuse the configuration for it. */
  readonly isRefused?: boolean;
}

type Run = DevEnvironmentConfiguration | ServiceConfiguration | TaskConfiguration;

/**
 * Configurations that are accepted without an error: keys without effect, traps of the language,
 * unusual values.
 */
export function configurationWarnings(value: unknown): ConfigurationNote[] {
  if (!isMap(value)) return [];
  const notes = [...nameNotes(value), ...scheduleNotes(value), ...envNotes(value)];
  switch (value.type) {
    case 'task':
    case 'service':
    case 'dev-environment':
      return [...notes, ...runNotes(value as unknown as Run)];
    case 'fleet':
      return [...notes, ...fleetNotes(value as unknown as FleetConfiguration)];
    case 'volume':
      return [...notes, ...volumeNotes(value)];
    default:
      return notes;
  }
}

const REFUSED = 'will be refused by the server';
const isRefused = true;

function fleetNotes(fleet: FleetConfiguration): ConfigurationNote[] {
  const resources = fleet.resources ? gpuNotes(fleet.resources, ['resources']) : [];
  return [...fleetKindNotes(fleet), ...fleetRetryNotes(fleet), ...resources];
}

/** `retry: false` needs no note: it is the behaviour anyway. */
function fleetRetryNotes({ retry }: FleetConfiguration): ConfigurationNote[] {
  if (!retry) return [];
  const message = 'has no effect: a fleet always tries again to have its nodes.min instances';
  return [{ path: ['retry'], message }];
}

function fleetKindNotes(fleet: FleetConfiguration): ConfigurationNote[] {
  if ((fleet.nodes === null) !== (fleet.ssh_config === null)) return [];
  const what =
    fleet.nodes === null ? 'has neither nodes nor ssh_config' : 'has nodes and ssh_config';
  const message = `${what} and ${REFUSED}: exactly one of them makes a fleet`;
  return [{ path: [], message, isRefused }];
}

/** A volume is either created, with a size, or registered, by the id that its backend gave it. */
function volumeNotes(volume: Record<string, unknown>): ConfigurationNote[] {
  const isExternal = Boolean(volume.volume_id ?? volume.claim_name);
  const cleanup = volume.auto_cleanup_duration;
  if (isExternal && typeof cleanup === 'number' && cleanup > 0) {
    const message = `is for new volumes only and ${REFUSED}`;
    return [{ path: ['auto_cleanup_duration'], message, isRefused }];
  }
  const isOnHost = hostVolumePlace(volume as { backend: string }) !== null;
  if (isExternal || isOnHost || volume.size !== null) return [];
  const message = `needs a size, or the id of an existing volume; without it ${REFUSED}`;
  return [{ path: [], message, isRefused }];
}

function nameNotes({ name, type }: Record<string, unknown>): ConfigurationNote[] {
  if (typeof type !== 'string' || typeof name !== 'string' || isResourceName(name)) return [];
  const rule = "2 to 41 lower-case letters, digits and '-', beginning with a letter";
  return [{ path: ['name'], message: `${REFUSED}: names have ${rule}`, isRefused }];
}

/** Numbers of weekdays count from Monday = 0 here, from Sunday = 0 in the usual cron. */
function scheduleNotes({ schedule }: Record<string, unknown>): ConfigurationNote[] {
  const crons = isMap(schedule) && Array.isArray(schedule.cron) ? schedule.cron : [];
  return crons.flatMap((cron: string) => {
    const weekday = cron.trim().split(/\s+/)[4] ?? '*';
    const isNumeric = /(?:^|[,-])\d/.test(weekday);
    if (!isNumeric || parseCron(cron) instanceof Problem) return [];
    const message = `counts weekdays from Monday = 0 to Sunday = 6 ('${weekday}'): names like mon-fri are clearer`;
    return [{ path: ['schedule', 'cron'], message }];
  });
}

function envNotes({ env }: Record<string, unknown>): ConfigurationNote[] {
  if (!isMap(env)) return [];
  return Object.keys(env)
    .filter((name) => !ENV_NAME.test(name))
    .map((name) => ({
      path: ['env', name],
      message:
        "is not a valid name of a variable: letters, digits and '_' only, not beginning with a digit",
    }));
}

function runNotes(run: Run): ConfigurationNote[] {
  const notes: ConfigurationNote[] = [...resourceNotes(run.resources, ['resources'])];
  const note = (path: readonly PropertyKey[], message: string) => notes.push({ path, message });
  if (run.image && run.nvcc) note(['nvcc'], 'has no effect with image');
  if (run.setup.length > 0) note(['setup'], setupNote(run));
  notes.push(...commandNotes(ownCommands(run), [commandKey(run)], run));
  if (run.home_dir !== '/root') note(['home_dir'], 'is deprecated and has no effect');
  if (run.retry && typeof run.retry === 'object' && (run.retry.duration ?? 0) < 0) {
    notes.push({ path: ['retry', 'duration'], message: `is negative and ${REFUSED}`, isRefused });
  }
  if (run.working_dir && !/^(?:\/|~|\$)/.test(run.working_dir)) {
    const message = 'will be refused by the CLI: it must be absolute, or begin with ~';
    notes.push({ path: ['working_dir'], message, isRefused });
  }
  for (const [index, mount] of run.volumes.entries()) {
    if ('name' in mount && mount.name === '') note(['volumes', index], 'has an empty volume name');
  }
  if (run.type === 'service') notes.push(...serviceNotes(run));
  else notes.push(...portNotes(run.ports, ['ports']));
  if (run.type === 'task') notes.push(...taskNotes(run));
  return notes;
}

const SECRET = /\$\{\{\s*secrets\./;

const SECRETS_IN_COMMANDS =
  'uses a secret, which is not replaced in commands: set a variable in env and use that';

function setupNote({ type }: Run): string {
  if (type === 'dev-environment') return 'is deprecated: use init';
  return `is deprecated and has no effect in a ${type}: use commands`;
}

function commandKey({ type }: Run): 'init' | 'commands' {
  return type === 'dev-environment' ? 'init' : 'commands';
}

function ownCommands(run: Run): readonly string[] {
  return run.type === 'dev-environment' ? run.init : run.commands;
}

function groupCommandNotes(
  groups: readonly { readonly commands: readonly string[] }[],
  run: Run,
): ConfigurationNote[] {
  return groups.flatMap(({ commands }, group) =>
    commandNotes(commands, ['groups', group, 'commands'], run),
  );
}

function commandNotes(
  commands: readonly string[],
  path: readonly PropertyKey[],
  { type, entrypoint }: Run,
): ConfigurationNote[] {
  // A dev environment goes on with commands of its own. An entrypoint gets the lines as arguments.
  const last = type === 'dev-environment' ? commands.length : commands.length - 1;
  return commands.flatMap((line, index) => {
    const trap = index < last && entrypoint === null ? joinTrap(line) : null;
    const messages = SECRET.test(line) ? [SECRETS_IN_COMMANDS] : [];
    return [...messages, ...(trap ? [trap] : [])].map((message) => ({
      path: [...path, index],
      message,
    }));
  });
}

const DEFAULTS = JSON.stringify({ cpu: { min: 2, max: null }, memory: { min: 8, max: null } });

function taskNotes(task: TaskConfiguration): ConfigurationNote[] {
  if (!task.groups) return [];
  const notes = [
    ...groupCommandNotes(task.groups, task),
    ...task.groups.flatMap((group, index) => [
      ...portNotes(group.ports, ['groups', index, 'ports']),
      ...resourceNotes(group.resources, ['groups', index, 'resources']),
    ]),
  ];
  return hasDefaultResources(task) ? notes : [...notes, ignoredResources];
}

const ignoredResources: ConfigurationNote = {
  path: ['resources'],
  message: 'has no effect beside groups: set resources in each group',
};

function hasDefaultResources({ resources }: Pick<Run, 'resources'>): boolean {
  const { cpu, memory, gpu, shm_size } = resources;
  const isDefault = JSON.stringify({ cpu: cpu.count, memory }) === DEFAULTS;
  return isDefault && gpu?.name === null && gpu.count.min === 0 && shm_size === null;
}

function serviceNotes(service: ServiceConfiguration): ConfigurationNote[] {
  const notes: ConfigurationNote[] = groupCommandNotes(service.groups ?? [], service);
  if (service.scaling && !service.replicas && !service.groups) {
    notes.push({
      path: ['scaling'],
      message: "has no effect without replicas: add replicas: '1..4'",
    });
  }
  if (service.autoscaling && !service.replicas && !service.groups) {
    notes.push({
      path: ['autoscaling'],
      message: "has no effect without replicas: add replicas: '1..4'",
    });
  }
  if (service.groups && !hasDefaultResources(service)) notes.push(ignoredResources);
  for (const [index, probe] of (service.probes ?? []).entries()) {
    const path = ['probes', index];
    if (probe.body !== null && probe.method === null) {
      notes.push({
        path,
        message: 'has a body, but its method is get by default: set method: post',
      });
    }
  }
  return notes;
}

function portNotes(
  ports: readonly { readonly container_port: number }[],
  path: readonly PropertyKey[],
): ConfigurationNote[] {
  return ports.flatMap(({ container_port: port }, index) =>
    port >= RESERVED_PORTS.min && port <= RESERVED_PORTS.max
      ? [
          {
            path: [...path, index],
            message: `is not forwarded: ports ${RESERVED_PORTS.min}-${RESERVED_PORTS.max} are reserved`,
          },
        ]
      : [],
  );
}

type Resources = Run['resources'];

/** Hosts may have GPUs that are not in the list, so that an unknown name is no error. */
function unknownGpuNotes(
  names: readonly string[],
  path: readonly PropertyKey[],
): ConfigurationNote[] {
  const unknown = names.filter(
    (name) =>
      !/^(True|False)$/.test(name) && !name.includes(',') && vendorOfGpu(name) === undefined,
  );
  return unknown.map((name) => {
    const near = nearest(name, ALL_GPU_NAMES);
    const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
    return { path: [...path, 'gpu'], message: `names an unknown GPU '${name}'${hint}` };
  });
}

function gpuNotes({ gpu }: Pick<Resources, 'gpu'>, path: readonly PropertyKey[]) {
  const notes: ConfigurationNote[] = unknownGpuNotes(gpu?.name ?? [], path);
  if (gpu?.name?.includes('True') || gpu?.name?.includes('False')) {
    notes.push({
      path: [...path, 'gpu'],
      message: `is a boolean and asks for a GPU named '${gpu.name[0]}': write a count like '1..'`,
    });
  }
  if (gpu?.name?.some((name) => name.includes(','))) {
    notes.push({
      path: [...path, 'gpu', 'name'],
      message: 'is one name with a comma: write a list [A, B]',
    });
  }
  return notes;
}

function resourceNotes(resources: Resources, path: readonly PropertyKey[]): ConfigurationNote[] {
  const notes = gpuNotes(resources, path);
  const { gpu, cpu, memory } = resources;
  for (const [key, range] of Object.entries({ gpu: gpu?.count, cpu: cpu.count, memory })) {
    if ((range?.min ?? 0) < 0 || (range?.max ?? 0) < 0) {
      notes.push({ path: [...path, key], message: 'is negative' });
    }
  }
  return notes;
}

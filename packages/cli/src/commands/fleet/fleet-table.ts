import { plainLine } from '@dstack/contract/plain-text';
import {
  isFleetActive,
  isInstanceActive,
  isInstanceAvailable,
  isInstanceBusy,
  isInstanceStarting,
  isServerHostOnWire,
  isSshHost,
} from '@dstack/contract/status';
import type { Fleet, Instance } from '@dstack/contract/wire';
import {
  instanceGpu,
  instanceResources,
  requestedGpu,
  requestedResources,
} from '../../format/resources.ts';
import { relativeTime, utcClock, utcTime } from '../../format/time.ts';
import { backendName, backendWithHost, price, range } from '../../format/values.ts';
import type { Style } from '../../terminal/style.ts';
import {
  type Cell,
  type Column,
  renderTable,
  type TableLayout,
  type TableRow,
} from '../../terminal/table.ts';
import { hangingText, textWidth } from '../../terminal/text-width.ts';
import { careText } from '../instance/care-text.ts';

export interface FleetTableOptions {
  readonly verbose: boolean;
  /** Entities of other projects are shown as `project/name`. */
  readonly project: string;
  /** ms since the epoch; null prints local `HH:MM`. */
  readonly now: number | null;
  readonly layout: TableLayout;
}

/** Fleets with their instances below them, newest first. */
export function renderFleetTable(fleets: readonly Fleet[], options: FleetTableOptions): string {
  const sorted = [...fleets].sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at));
  // The owner of an SSH host can act on its errors and on what it waits for, so these are shown
  // without -v.
  const instances = options.verbose ? [] : sorted.flatMap((fleet) => fleet.instances);
  const windows = maintenanceLines(sorted, options);
  if (!instances.some(instanceMessage)) return fleetTable(sorted, options, false) + windows;
  const table = fleetTable(sorted, options, true);
  if (fits(table, options)) return table + windows;
  return (
    fleetTable(sorted, options, false) + messageLines(instances, options.layout.width) + windows
  );
}

/** Windows of maintenance, in the times of the configuration. */
function maintenanceLines(fleets: readonly Fleet[], options: FleetTableOptions): string {
  const lines = fleets.flatMap((fleet) => {
    const text = nextWindowText(fleet);
    return text === '' ? [] : [` ${plainLine(shownName(fleet, options))}: ${text}\n`];
  });
  return lines.length === 0 ? '' : `\n${lines.join('')}`;
}

/** Empty: the fleet has no windows, or no more of them. */
function nextWindowText({ status, maintenance }: Pick<Fleet, 'status' | 'maintenance'>): string {
  if (maintenance === undefined || !isFleetActive(status)) return '';
  const { state, starts_at, ends_at } = maintenance;
  const when = `from ${utcTime(starts_at)} to ${utcTime(ends_at)}`;
  switch (state) {
    case 'planned':
      return `next maintenance ${when}`;
    case 'leaving':
      return `maintenance ${when}; jobs leave before`;
    case 'on':
      return `in maintenance ${when}`;
  }
}

/** In a narrow column, a message would have one word a line. */
function fits(table: string, { layout: { width } }: FleetTableOptions): boolean {
  return width === null || table.split('\n').every((line) => textWidth(line) <= width);
}

function messageLines(instances: readonly Instance[], width: number | null): string {
  const lines = instances.flatMap((instance) => {
    const message = plainLine(instanceMessage(instance));
    return message === ''
      ? []
      : [` ${hangingText(`${plainLine(instance.name)}: ${message}`, 3, width)}\n`];
  });
  return `\n${lines.join('')}`;
}

function fleetTable(
  sorted: readonly Fleet[],
  options: FleetTableOptions,
  hasMessages: boolean,
): string {
  const columns: Column[] = [
    { header: 'NAME', keep: true },
    { header: 'NODES', optional: 3 },
    options.verbose ? { header: 'RESOURCES' } : { header: 'GPU', keep: true },
    { header: 'SPOT', optional: 5 },
    { header: 'BACKEND', optional: 2 },
    { header: 'PRICE', optional: 4 },
    ...(options.verbose ? [{ header: 'DRIVER', optional: 6 }] : []),
    { header: 'STATUS', keep: true },
    { header: 'CREATED', optional: 3 },
    ...(options.verbose ? [{ header: 'ERROR', optional: 1 }] : []),
    ...(hasMessages ? [{ header: 'MESSAGE', keep: true }] : []),
  ];
  const rows = sorted.flatMap((fleet) => [
    fleetRow(fleet, options),
    ...fleet.instances.map((instance) => [
      ...instanceRow(instance, options),
      ...(hasMessages ? [instanceMessage(instance)] : []),
    ]),
  ]);
  return renderTable(columns, rows, options.layout);
}

function fleetRow(fleet: Fleet, options: FleetTableOptions): TableRow {
  const { configuration, profile } = fleet.spec;
  const hosts = configuration.ssh_config?.hosts.length;
  const cluster = options.verbose && configuration.placement === 'cluster' ? ' (cluster)' : '';
  const dim = (text: string): Cell => ({ text, style: 'secondary' });
  const error = fleet.status_message ?? '';
  return [
    { text: shownName(fleet, options), style: 'bold' },
    dim((hosts === undefined ? nodes(configuration.nodes) : String(hosts)) + cluster),
    dim(hosts === undefined ? wanted(fleet, options.verbose) : ''),
    dim(
      hosts === undefined ? (configuration.spot_policy ?? profile.spot_policy ?? 'on-demand') : '',
    ),
    dim(hosts === undefined ? backendList(fleet) : 'ssh'),
    dim(maxPrice(fleet)),
    ...(options.verbose ? [''] : []),
    fleetStatus(fleet),
    dim(created(fleet.created_at, options)),
    ...(options.verbose ? [error] : []),
  ];
}

const shownName = ({ project_name, name }: Fleet, { project }: FleetTableOptions): string =>
  project_name === project ? name : `${project_name}/${name}`;

function fleetStatus({ status, maintenance }: Fleet): Cell {
  if (!isFleetActive(status) || maintenance === undefined || maintenance.state === 'planned') {
    return { text: status, style: FLEET_STYLES[status] };
  }
  return { text: `${status} (maintenance)`, style: 'gold' };
}

function nodes(value: Fleet['spec']['configuration']['nodes']): string {
  return value ? range({ min: value.min ?? 0, max: value.max ?? null }) : '';
}

function wanted(fleet: Fleet, verbose: boolean): string {
  const resources = fleet.spec.configuration.resources;
  if (!resources) return '';
  if (verbose) return requestedResources(resources);
  const gpu = requestedGpu(resources.gpu);
  if (gpu === null) return '-';
  const named = Boolean(resources.gpu?.name?.length || resources.gpu?.vendor);
  return named ? gpu : `gpu:${gpu}`;
}

function backendList(fleet: Fleet): string {
  const list = fleet.spec.configuration.backends ?? fleet.spec.profile.backends;
  return list ? list.map((b) => backendName(b)).join(', ') : '*';
}

function maxPrice(fleet: Fleet): string {
  const max = fleet.spec.configuration.max_price ?? fleet.spec.profile.max_price;
  return max === null || max === undefined ? '' : `$0..${max}`;
}

function instanceRow(instance: Instance, options: FleetTableOptions): TableRow {
  const resources = instance.instance_type?.resources;
  const isRemote = isSshHost(instance.backend);
  const waiting = isInstanceStarting(instance.status);
  const known = resources && !(isRemote && waiting) ? resources : undefined;
  const gpu = known ? instanceGpu(known.gpus) : null;
  const amount = instance.price;
  return [
    { text: `   instance=${instance.instance_num}`, style: 'dim' },
    '',
    known ? (options.verbose ? instanceResources(known) : gpu === null ? '-' : `gpu=${gpu}`) : '-',
    isRemote || !known ? '' : known.spot ? 'spot' : 'on-demand',
    backendOf(instance, options.verbose),
    amount === null || amount === undefined ? '-' : price(amount),
    ...(options.verbose ? [instance.gpu_driver?.version ?? ''] : []),
    instanceStatus(instance),
    created(instance.created, options),
    ...(options.verbose ? [instanceError(instance)] : []),
  ];
}

function backendOf(instance: Instance, verbose: boolean): string {
  const zone = verbose && !isServerHostOnWire(instance) ? instance.availability_zone : null;
  return backendWithHost({ ...instance, region: zone || instance.region });
}

/** The stage of a machine that is not ready, or the reason why an SSH host cannot be used. */
export function instanceMessage(instance: Instance): string {
  const division = divisionText(instance);
  if (isCordoned(instance)) return [careText(instance), division].filter(Boolean).join('; ');
  const isHost = isSshHost(instance.backend) && !isServerHostOnWire(instance);
  const isTrouble = isHost && instance.health_status !== 'warning';
  const error = isTrouble || isInstanceStarting(instance.status) ? instanceError(instance) : '';
  return error || division;
}

/** Its fleet has been changed while jobs hold its present blocks. */
function divisionText({ status, next_blocks: next }: Instance): string {
  if (next === undefined || !isInstanceBusy(status)) return '';
  return `divided into ${next === 1 ? '1 block' : `${next} blocks`} once no job runs there`;
}

const isCordoned = ({ status, scheduling }: Instance): boolean =>
  isInstanceActive(status) && scheduling !== undefined && scheduling.state !== 'quarantined';

function instanceError(instance: Instance): string {
  const working = isInstanceAvailable(instance.status);
  const isLost = working && instance.unreachable;
  if (isInstanceStarting(instance.status) || isLost) {
    return instance.termination_reason_message ?? '';
  }
  if (working) return instance.health_message ?? '';
  if (isInstanceActive(instance.status)) return '';
  const message = instance.termination_reason_message;
  return message || (instance.termination_reason ?? '').replaceAll('_', ' ');
}

const FLEET_STYLES: Readonly<Record<Fleet['status'], Style>> = {
  submitted: 'secondary',
  active: 'secondary',
  terminated: 'secondary',
  terminating: 'progress-bold',
  failed: 'bad-bold',
};

const INSTANCE_STYLES: Readonly<Record<Instance['status'], Style>> = {
  pending: 'progress-bold',
  provisioning: 'progress-bold',
  busy: 'progress-bold',
  terminating: 'progress-bold',
  idle: 'good-bold',
  terminated: 'secondary',
};

export function instanceStatus(instance: Instance): Cell {
  const total = instance.total_blocks ?? 1;
  const working = isInstanceAvailable(instance.status);
  const inBlocks = total > 1 && isInstanceBusy(instance.status);
  const text = inBlocks ? `${instance.busy_blocks ?? 0}/${total} busy` : instance.status;
  if (working && instance.unreachable) return { text: `${text} (unreachable)`, style: 'error' };
  const { scheduling } = instance;
  if (working && scheduling && scheduling.state !== 'quarantined') {
    return { text: `${text} (${scheduling.state})`, style: 'gold' };
  }
  const health = instance.health_status ?? 'healthy';
  if (working && health !== 'healthy') {
    return { text: `${text} (${health})`, style: health === 'warning' ? 'gold' : 'error' };
  }
  return { text, style: INSTANCE_STYLES[instance.status] };
}

function created(instant: string, options: FleetTableOptions): string {
  return options.now === null ? utcClock(instant) : relativeTime(instant, options.now);
}

/** Objects of answers, with the fields that clients read; the published document has more of them. */
import type { CloudAccount } from '../../account.ts';
import { Refusal } from '../../refusal.ts';
import type { Vm, VmState } from '../../vm.ts';
import { ASKS, askOfType, type ListedAsk } from './catalog.ts';

interface States {
  readonly actual_status: string | null;
  readonly cur_state: string;
}

/** An instance that is being destroyed is shown as before, until lists lack it. */
const STATES: Readonly<Record<VmState, States>> = {
  pending: { actual_status: 'loading', cur_state: 'running' },
  running: { actual_status: 'running', cur_state: 'running' },
  failed: { actual_status: 'exited', cur_state: 'running' },
  interrupted: { actual_status: 'exited', cur_state: 'stopped' },
  ending: { actual_status: 'running', cur_state: 'running' },
};

const HOURS_PER_MONTH = 720;
/** For documentation (RFC 5737): nothing leads into an instance here. */
const PUBLIC_ADDRESS = '192.0.2.1';
const FIRST_PORT = 20_000;

export const tagOf = ({ tags }: Pick<Vm, 'tags'>, name: string): string | null =>
  tags.find(({ key }) => key === name)?.value ?? null;

export function instanceForm(vm: Vm) {
  const { container, state, problem, createdAt } = vm;
  const ask = askOfType(vm.type) as ListedAsk;
  const bid = tagOf(vm, 'bid');
  const disk = Number(tagOf(vm, 'disk'));
  const { actual_status, cur_state } = STATES[state];
  const dph_base = bid === null ? ask.dph_base : Number(bid);
  const { id: _, score: __, reliability2, verified, ...machine } = ask;
  return {
    ...machine,
    ...{ id: Number(vm.id), actual_status, cur_state, next_state: cur_state },
    // The status that its customer has requested; another customer's bid does not change it.
    intended_status: bid === null ? cur_state : 'running',
    ...{ label: vm.name, image_uuid: container?.image ?? '', image_args: container?.command ?? [] },
    ...{ image_runtype: 'args', onstart: container?.entrypoint[0] ?? null },
    extra_env: [...Object.entries(container?.environment ?? {}), ...portVariables(vm)],
    status_msg: problem ?? (state === 'running' ? `success, running ${container?.image}` : null),
    public_ipaddr: state === 'running' ? `${PUBLIC_ADDRESS}\n` : null,
    ports: state === 'running' ? portsOf(vm) : null,
    ...{ disk_space: disk, is_bid: bid !== null, dph_base, reliability2 },
    dph_total: dph_base + (disk * ask.storage_cost) / HOURS_PER_MONTH,
    ...{ start_date: createdAt / 1e6, verification: verified ? 'verified' : 'unverified' },
  };
}

const portsAsked = (vm: Vm): readonly string[] => tagOf(vm, 'ports')?.split(' ') ?? [];

const portVariables = (vm: Vm) => portsAsked(vm).map((port) => [`-p ${port}:${port}`, '1']);

function portsOf(vm: Vm) {
  const entries = portsAsked(vm).map((port, index) => [
    `${port}/tcp`,
    [{ HostIp: '0.0.0.0', HostPort: String(FIRST_PORT + index) }],
  ]);
  return Object.fromEntries(entries);
}

/** Offers that are left. */
export function openAsks({ vms, catalog }: CloudAccount): readonly ListedAsk[] {
  const used = new Set(vms.all().map(({ type }) => type.name));
  return ASKS.filter(({ id }) => {
    const type = catalog.types.find(({ name }) => name === String(id));
    return type && !used.has(type.name) && vms.capacity.regionsWith(type).length > 0;
  });
}

type Compare = (value: never, limit: never) => boolean;

const OPERATORS: Readonly<Record<string, Compare>> = {
  eq: (value, limit) => value === limit,
  neq: (value, limit) => value !== limit,
  gt: (value, limit) => value > limit,
  gte: (value, limit) => value >= limit,
  lt: (value, limit) => value < limit,
  lte: (value, limit) => value <= limit,
  in: (value, limit: readonly never[]) => limit.includes(value),
  notin: (value, limit: readonly never[]) => !limit.includes(value),
};

/** Keys of a search that do not filter. `rented` is one because Vast.ai ignores it. */
const NO_FILTERS = new Set(['limit', 'order', 'type', 'rentable', 'rented']);

export function passes(ask: ListedAsk, query: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(query).every(([field, limits]) => {
    if (NO_FILTERS.has(field)) return true;
    const isKnown = Object.hasOwn(ask, field) && typeof limits === 'object' && limits !== null;
    if (!isKnown) throw new Refusal('invalid', `${field} is not a valid search key`);
    return Object.entries(limits).every(([operator, limit]) => {
      const compare = OPERATORS[operator];
      if (!compare) throw new Refusal('invalid', `${operator} is not a valid operator`);
      return compare(ask[field as keyof ListedAsk] as never, limit as never);
    });
  });
}

export function searched(asks: readonly ListedAsk[], query: Readonly<Record<string, unknown>>) {
  const { order = [], limit = 64 } = query;
  const [first] = order as readonly [keyof ListedAsk, string][];
  const [field, direction] = first ?? (['score', 'desc'] as const);
  const sign = direction === 'asc' ? 1 : -1;
  return asks
    .filter((ask) => passes(ask, query))
    .toSorted((a, b) => sign * (Number(a[field]) - Number(b[field])))
    .slice(0, Number(limit))
    .map((ask) => ({ ...ask, rentable: true, rented: false, is_bid: false }));
}

/**
 * Compute nodes as `scontrol show node --oneliner --detail` prints them: one line per node, of
 * `Key=value` pairs. Checked with Slurm 22.05.
 */
import { addedGres, type Gres, parseGres } from './gres.ts';

export interface SlurmNode {
  readonly name: string;
  /** Address that other nodes use; a name or an IP address. */
  readonly address: string;
  readonly arch: 'x86' | 'arm' | null;
  readonly cpus: Amount;
  readonly memoryMib: Amount;
  /** GPUs by type; the type is empty where the administrator has not named it. */
  readonly gpus: readonly GpuAmount[];
  readonly partitions: readonly string[];
  readonly features: readonly string[];
  /** Base state and flags in upper case: `IDLE`, `MIXED`, `DOWN`, `DRAIN`, `NOT_RESPONDING`, … */
  readonly states: ReadonlySet<string>;
  /** Why it is down or drained, in the administrator's words. */
  readonly reason: string | null;
}

export interface Amount {
  readonly total: number;
  readonly used: number;
}

export interface GpuAmount extends Amount {
  readonly type: string;
}

/** States in which a node starts no jobs, with the words that people read. */
const CLOSED: Readonly<Record<string, string>> = {
  DOWN: 'down',
  NOT_RESPONDING: 'not responding',
  DRAIN: 'drained',
  FAIL: 'failing',
  FAILING: 'failing',
  MAINTENANCE: 'in maintenance',
  ERROR: 'in an error state',
  UNKNOWN: 'in an unknown state',
  FUTURE: 'not in use yet',
};

/** Why the node starts no jobs now; null = it does. */
export function closedReason({ states, reason }: SlurmNode): string | null {
  const closed = Object.keys(CLOSED).find((state) => states.has(state));
  if (closed === undefined) return null;
  return reason ? `${CLOSED[closed]} (${reason})` : (CLOSED[closed] ?? null);
}

/** Lines that are not about a node, such as a greeting of the login shell, are left out. */
export function parseNodes(output: string): readonly SlurmNode[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('NodeName='))
    .map((line) => nodeOf(fieldsOf(line)));
}

function nodeOf(fields: ReadonlyMap<string, string>): SlurmNode {
  const name = textOf(fields, 'NodeName');
  return {
    name,
    address: textOf(fields, 'NodeAddr') || textOf(fields, 'NodeHostName') || name,
    arch: ARCHITECTURES[textOf(fields, 'Arch')] ?? null,
    cpus: {
      // CPUs that jobs may use; older versions have no name for those that are reserved.
      total: numberOf(fields, 'CPUEfctv') || numberOf(fields, 'CPUTot'),
      used: numberOf(fields, 'CPUAlloc'),
    },
    memoryMib: { total: numberOf(fields, 'RealMemory'), used: numberOf(fields, 'AllocMem') },
    gpus: gpusOf(parseGres(textOf(fields, 'Gres')), parseGres(textOf(fields, 'GresUsed'))),
    partitions: listOf(fields, 'Partitions'),
    features: listOf(fields, 'AvailableFeatures'),
    // A star marks a node that does not respond.
    states: new Set(
      textOf(fields, 'State').toUpperCase().replace('*', '+NOT_RESPONDING').split('+'),
    ),
    reason: textOf(fields, 'Reason').replace(/ \[[^[\]]*\]$/, '') || null,
  };
}

const ARCHITECTURES: Readonly<Record<string, 'x86' | 'arm'>> = { x86_64: 'x86', aarch64: 'arm' };

function gpusOf(gres: readonly Gres[], used: readonly Gres[]): readonly GpuAmount[] {
  const usedOf = (type: string): number =>
    used.find((one) => one.name === 'gpu' && one.type === type)?.count ?? 0;
  return addedGres(gres)
    .filter(({ name, count }) => name === 'gpu' && count > 0)
    .map(({ type, count }) => ({ type, total: count, used: usedOf(type) }));
}

/**
 * Values may contain blanks (`OS`, `Reason`), so a value ends where the next key begins. `Reason`
 * is the last one, and ends with the line: its text may contain what looks like a key.
 */
function fieldsOf(line: string): ReadonlyMap<string, string> {
  const reasonAt = line.indexOf(' Reason=');
  const head = reasonAt < 0 ? line : line.slice(0, reasonAt);
  const fields = new Map<string, string>();
  const keys = [...head.matchAll(/(?:^| )([A-Za-z]+)=/g)];
  for (const [index, { 0: match, 1: key, index: at }] of keys.entries()) {
    const value = head.slice(at + match.length, keys[index + 1]?.index ?? head.length).trim();
    if (key !== undefined && !EMPTY.has(value)) fields.set(key, value);
  }
  if (reasonAt >= 0) fields.set('Reason', line.slice(reasonAt + ' Reason='.length).trim());
  return fields;
}

/** Values that Slurm prints for "none". */
const EMPTY = new Set(['(null)', 'N/A', 'n/a', '']);

const textOf = (fields: ReadonlyMap<string, string>, key: string): string => fields.get(key) ?? '';

function numberOf(fields: ReadonlyMap<string, string>, key: string): number {
  const number = Number(textOf(fields, key));
  return Number.isSafeInteger(number) && number >= 0 ? number : 0;
}

const listOf = (fields: ReadonlyMap<string, string>, key: string): readonly string[] =>
  textOf(fields, key).split(',').filter(Boolean);

import { durationInOneUnit } from '../../format/time.ts';
import { range, sizeGb } from '../../format/values.ts';

/** One changed field; changes within the configuration and the profile are in `fields`. */
export interface Difference {
  readonly label: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly fields?: readonly Difference[];
}

type Spec = Readonly<Record<string, unknown>>;

const LABELS: Readonly<Record<string, string>> = {
  repo_id: 'Repo ID',
  repo_code_hash: 'Repo files',
  repo_data: 'Repo state (branch, commit, or other)',
  ssh_key_pub: 'Public SSH key',
};

/** Fields that mean nothing to a reader, or must not be shown. */
const OPAQUE = new Set([
  'repo_id',
  'repo_code_hash',
  'repo_data',
  'ssh_key_pub',
  'file_archives',
  'env',
  'registry_auth',
  'ssh_key',
]);

/** The differences between the stored spec and the new one; null and absent are equal. */
export function diffSpecs(stored: Spec, wanted: Spec): Difference[] {
  const names = [...new Set([...Object.keys(stored), ...Object.keys(wanted)])];
  return names.flatMap((name): Difference[] => {
    const before = stored[name];
    const after = wanted[name];
    if (sameValue(before, after)) return [];
    if (name === 'configuration' || name === 'profile') {
      const label = name === 'configuration' ? 'Configuration properties' : 'Profile properties';
      return [{ label, fields: diffFields(asSpec(before), asSpec(after)) }];
    }
    const label = LABELS[name] ?? capitalised(name);
    return [OPAQUE.has(name) ? { label } : { label, before, after }];
  });
}

/**
 * The innermost fields that differ: `resources.gpu.count`, not all resources of a run; null and
 * absent are equal.
 */
export function diffFields(before: Spec, after: Spec, path = ''): Difference[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .filter((name) => !sameValue(before[name], after[name]))
    .flatMap((name): Difference[] => {
      const label = path + name;
      const [old, young] = [before[name], after[name]];
      if (OPAQUE.has(name)) return [{ label }];
      const parts = haveSameParts(old, young)
        ? diffFields(partsOf(old), partsOf(young), `${label}.`)
        : [];
      return parts.length > 0 ? parts : [{ label, before: old, after: young }];
    });
}

/** Whether both are maps or unset, or lists of equally many maps. A range counts as one value. */
function haveSameParts(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && [...a, ...b].every(isMap);
  }
  const set = [a, b].filter((one) => one !== null && one !== undefined);
  return set.every(isMap) && !set.every(isRange);
}

function partsOf(value: unknown): Spec {
  return Object.fromEntries(Object.entries(value ?? {}));
}

/** Compares without regard to key order; null equals absent. */
export function sameValue(a: unknown, b: unknown): boolean {
  const left = a ?? null;
  const right = b ?? null;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, i) => sameValue(item, right[i]));
  }
  if (isMap(left) && isMap(right)) {
    const names = new Set([...Object.keys(left), ...Object.keys(right)]);
    return [...names].every((name) => sameValue(left[name], right[name]));
  }
  return left === right;
}

/** The list shown to the user, indented by two spaces a level. */
export function renderDiff(differences: readonly Difference[], indent = ''): string {
  return differences
    .map((d) => {
      if (d.fields) return `${indent}- ${d.label}:\n${renderDiff(d.fields, `${indent}  `)}`;
      const shown = 'before' in d || 'after' in d;
      return `${indent}- ${d.label}${shown ? valuesOf(d, indent) : ''}\n`;
    })
    .join('');
}

/** Up to this many characters, a value is shown whole. */
const MAX_VALUE = 60;

/** `: old -> new`; lists and scripts that are long show their changed lines below each other. */
function valuesOf({ label, before, after }: Difference, indent: string): string {
  const values = [before, after].map((value) => inOneLine(value, label));
  const areLong = values.some((value) => value.length > MAX_VALUE);
  const parts =
    areLong || [before, after].every(hasMaps) ? changedLines(before, after, label) : null;
  if (parts === null) return `: ${briefly(values[0] ?? '', values[1] ?? '').join(' -> ')}`;
  return `:\n${parts.map((line) => `${indent}  ${line}`).join('\n')}`;
}

/** More changed lines than these are counted. */
const MAX_LINES = 6;

function hasMaps(value: unknown): boolean {
  return Array.isArray(value) && value.some(isMap);
}

/** Null if the values are not lists or texts of several lines. */
function changedLines(before: unknown, after: unknown, label: string): string[] | null {
  const old = linesOf(before, label);
  const young = linesOf(after, label);
  if (old === null || young === null) return null;
  let start = 0;
  while (start < old.length && start < young.length && old[start] === young[start]) start += 1;
  let end = 0;
  const left = Math.min(old.length, young.length) - start;
  while (end < left && old.at(-1 - end) === young.at(-1 - end)) end += 1;
  const removed = old.slice(start, old.length - end);
  const added = young.slice(start, young.length - end);
  if (removed.length === 1 && added.length === 1) {
    const [gone, come] = briefly(removed[0] ?? '', added[0] ?? '');
    return [`- ${gone}`, `+ ${come}`];
  }
  return [...marked('-', removed.map(head)), ...marked('+', added.map(head))];
}

function marked(sign: string, lines: readonly string[]): string[] {
  const shown = lines.length > MAX_LINES ? lines.slice(0, MAX_LINES - 1) : lines;
  const more = lines.length - shown.length;
  const rest = more > 0 ? [`${sign} … and ${more} more lines`] : [];
  return [...shown.map((line) => `${sign} ${line}`), ...rest];
}

function linesOf(value: unknown, label: string): string[] | null {
  if (value === null || value === undefined) return [];
  if (typeof value === 'string') return value.includes('\n') ? value.split('\n') : null;
  return Array.isArray(value) ? value.map((item) => inOneLine(item, label)) : null;
}

/** How many characters before the first difference are shown. */
const LEAD = 10;

/** Both values, cut so that the first difference is visible. */
function briefly(before: string, after: string): string[] {
  const lines = [before, after];
  if (lines.every((line) => line.length <= MAX_VALUE)) return lines;
  let shared = 0;
  while (shared < before.length && before[shared] === after[shared]) shared += 1;
  const start = shared - LEAD;
  return lines.map((line) => head(start > LEAD ? `…${line.slice(start)}` : line));
}

function head(line: string): string {
  return line.length > MAX_VALUE ? `${line.slice(0, MAX_VALUE - 1)}…` : line;
}

function inOneLine(value: unknown, label: string): string {
  if (value === null || value === undefined) return '(none)';
  const show = unitOf(label);
  if (isRange(value)) return range(value, show);
  if (typeof value === 'number') return show(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value, withoutSecrets);
  return text.replace(/\s+/g, ' ');
}

/** Sizes are in GB, durations in seconds. */
function unitOf(label: string): (value: number) => string {
  if (/(^|\.)(total_)?(memory|size|shm_size)$/.test(label)) return sizeGb;
  return /duration$/.test(label) ? durationInOneUnit : String;
}

/** Removes unset values, and values that must not be shown, at any depth. */
function withoutSecrets(key: string, value: unknown): unknown {
  return value === null || OPAQUE.has(key) ? undefined : value;
}

function capitalised(name: string): string {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function asSpec(value: unknown): Spec {
  return isMap(value) ? value : {};
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isRange(value: unknown): value is { min?: number | null; max?: number | null } {
  return (
    isMap(value) && 'min' in value && Object.keys(value).every((key) => /^m(in|ax)$/.test(key))
  );
}

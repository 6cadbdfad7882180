import { range } from '../../format/values.ts';

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
  'ssh_config',
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
 * Descends to the innermost fields that differ: `resources.gpu.count`, not all resources of a run.
 */
function diffFields(before: Spec, after: Spec, path = ''): Difference[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .filter((name) => !sameValue(before[name], after[name]))
    .flatMap((name): Difference[] => {
      const label = path + name;
      const [old, young] = [before[name], after[name]];
      if (OPAQUE.has(name)) return [{ label }];
      const parts = haveSameParts(old, young);
      if (parts) return diffFields(partsOf(old), partsOf(young), `${label}.`);
      return [{ label, before: old, after: young }];
    });
}

/** Whether both are maps, or lists of equally many maps. A range counts as one value. */
function haveSameParts(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && [...a, ...b].every(isMap);
  }
  return isMap(a) && isMap(b) && !(isRange(a) && isRange(b));
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
      const values = shown ? `: ${briefly(d.before, d.after).join(' -> ')}` : '';
      return `${indent}- ${d.label}${values}\n`;
    })
    .join('');
}

const MAX_VALUE = 60;
const LEAD = 15;

/** Both values, cut so that the first difference is visible. */
function briefly(before: unknown, after: unknown): string[] {
  const lines = [inOneLine(before), inOneLine(after)];
  const [a = '', b = ''] = lines;
  if (lines.every((line) => line.length <= MAX_VALUE)) return lines;
  let shared = 0;
  while (shared < a.length && a[shared] === b[shared]) shared += 1;
  const start = shared - LEAD;
  return lines.map((line) => cut(line, start > LEAD ? start : 0));
}

function cut(line: string, start: number): string {
  const rest = start > 0 ? `…${line.slice(start)}` : line;
  return rest.length > MAX_VALUE ? `${rest.slice(0, MAX_VALUE - 1)}…` : rest;
}

function inOneLine(value: unknown): string {
  if (value === null || value === undefined) return '(none)';
  if (isRange(value)) return range(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value, withoutSecrets);
  return text.replace(/\s+/g, ' ');
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

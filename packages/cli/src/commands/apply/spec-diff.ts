/** One changed field; nested ones (of the configuration and the profile) in `fields`. */
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

/** Fields whose values say nothing to a reader, or must not be shown. */
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

/** What differs between the stored spec and the one to be applied; null and absent are equal. */
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

function diffFields(before: Spec, after: Spec): Difference[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .filter((name) => !sameValue(before[name], after[name]))
    .map((name) =>
      OPAQUE.has(name)
        ? { label: name }
        : { label: name, before: before[name], after: after[name] },
    );
}

/** Equal up to key order and to fields that are null on one side and absent on the other. */
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

/** The list shown to the user, two blanks a level. */
export function renderDiff(differences: readonly Difference[], indent = ''): string {
  return differences
    .map((d) => {
      if (d.fields) return `${indent}- ${d.label}:\n${renderDiff(d.fields, `${indent}  `)}`;
      const shown = 'before' in d || 'after' in d;
      const values = shown ? `: ${brief(d.before)} -> ${brief(d.after)}` : '';
      return `${indent}- ${d.label}${values}\n`;
    })
    .join('');
}

const MAX_VALUE = 60;

function brief(value: unknown): string {
  if (value === null || value === undefined) return '(none)';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const line = text.replace(/\s+/g, ' ');
  return line.length > MAX_VALUE ? `${line.slice(0, MAX_VALUE - 1)}…` : line;
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

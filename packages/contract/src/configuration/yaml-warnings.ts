import { formatDuration } from '../grammar/duration.ts';
import { isAnyNumber, numberText } from '../grammar/number-text.ts';
import type { LoadedYaml } from '../yaml/load.ts';
import { misreadTimes } from '../yaml/misread-times.ts';
import { isOtherBase, isSexagesimal } from '../yaml/plain-scalar.ts';
import type { ConfigurationError, ConfigurationWarning } from './finding.ts';
import { valueAt } from './issue.ts';

/** Keys of seconds that do not end with `duration`. In quotes, a time with colons is refused there. */
const SECONDS = new Set([
  ...['scale_up_delay', 'scale_down_delay', 'timeout', 'interval', 'start_period'],
  ...['min_runtime', 'grace', 'lead', 'time_window', 'deadline'],
]);

/** Times of Slurm that YAML reads as seconds. */
export function timeErrors(loaded: LoadedYaml): ConfigurationError[] {
  return misreadTimes(loaded).map(({ path, message }) => ({
    ...{ path: path.join('.'), ...loaded.locate(path), message, type: 'yaml' },
  }));
}

/** Values of a valid document that YAML reads differently from how they look. */
export function yamlWarnings(loaded: LoadedYaml, canonical: unknown): ConfigurationWarning[] {
  const numbers = loaded.numbers.flatMap(({ path, source }) => {
    const read = valueAt(loaded.value, path);
    const kept = valueAt(canonical, path);
    const message =
      isSexagesimal(source) && typeof kept === 'number' && isDurationKey(path.at(-1))
        ? durationTrap(read, kept)
        : numberTrap(source, read, kept);
    return message === undefined ? [] : [{ path: path.join('.'), ...loaded.locate(path), message }];
  });
  const repeated = loaded.repeated.map(({ path, line, column }) => ({
    path: path.join('.'),
    line,
    column,
    message: 'occurs twice in this map: only the last one counts',
  }));
  return [...numbers, ...switchWarnings(loaded, canonical), ...repeated];
}

/** `on`, `yes` and their like where a number or a time belongs: as in dstack 0.22 they count as 1 and 0. */
function switchWarnings(loaded: LoadedYaml, canonical: unknown): ConfigurationWarning[] {
  return switchesIn(loaded.value, []).flatMap(({ path, read }) => {
    const message = switchTrap(read, valueAt(canonical, path), isDurationKey(path.at(-1)));
    return message === undefined ? [] : [{ path: path.join('.'), ...loaded.locate(path), message }];
  });
}

interface Switch {
  readonly path: readonly PropertyKey[];
  readonly read: boolean;
}

function switchesIn(value: unknown, path: readonly PropertyKey[]): Switch[] {
  if (typeof value === 'boolean') return [{ path, read: value }];
  if (Array.isArray(value)) return value.flatMap((item, at) => switchesIn(item, [...path, at]));
  if (!isPlainMap(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => switchesIn(item, [...path, key]));
}

function switchTrap(read: boolean, kept: unknown, isDuration: boolean): string | undefined {
  // `off` means no limit, or no delay.
  if (isDuration && !read) return undefined;
  if (isDuration && kept === null) {
    return "is read by YAML as true, which sets nothing: write a duration like '2h', or off";
  }
  const number = Number(read);
  if (!(isPlainMap(kept) ? Object.values(kept) : [kept]).includes(number)) return undefined;
  return isDuration
    ? "is read by YAML as true, which means 1 second: write a duration like '2h'"
    : `is read by YAML as ${read}, which becomes the number ${number}: write the number`;
}

function isPlainMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !(value instanceof Date);
}

function isDurationKey(key: PropertyKey | undefined): boolean {
  return typeof key === 'string' && (key.endsWith('duration') || SECONDS.has(key));
}

function durationTrap(read: unknown, seconds: number): string {
  const example = formatDuration(seconds > 0 ? seconds : 5400);
  return `is read by YAML as the number ${String(read)} (base 60), which means seconds: write a duration like '${example}'`;
}

function numberTrap(source: string, value: unknown, canonical: unknown): string | undefined {
  if (isSexagesimal(source)) {
    return `is read by YAML as the number ${String(value)} (base 60): quote it ('${source}') if that is not meant`;
  }
  if (isOtherBase(source)) {
    return `is read by YAML as the number ${String(value)}: quote it ('${source}') if that is not meant`;
  }
  // Where text is expected, the number's spelling counts; 3.10 as the version of Python is
  // understood.
  const text = typeof canonical === 'string' ? canonical : textInside(canonical, value);
  if (text !== undefined && text !== source) {
    return `becomes the text '${text}': quote it ('${source}') to keep it as written`;
  }
  return undefined;
}

/** The text of a number that the canonical form has as a part, like the name of a model. */
function textInside(canonical: unknown, value: unknown): string | undefined {
  if (!isPlainMap(canonical) || !isAnyNumber(value)) return undefined;
  const text = numberText(value);
  return Object.values(canonical).includes(text) ? text : undefined;
}

import { formatDuration } from '../grammar/duration.ts';
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
  return [...numbers, ...repeated];
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
  if (typeof canonical === 'string' && canonical !== source) {
    return `becomes the text '${canonical}': quote it ('${source}') to keep it as written`;
  }
  return undefined;
}

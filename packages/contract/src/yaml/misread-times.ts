import type { LoadedYaml } from './load.ts';
import { isSexagesimal } from './plain-scalar.ts';

export interface MisreadTime {
  readonly path: readonly PropertyKey[];
  /** Completes a sentence that begins with the path. */
  readonly message: string;
}

/**
 * Times of Slurm that YAML reads as seconds: Slurm would take them for minutes, so that `12:00:00` means
 * a month.
 */
export function misreadTimes({ numbers, value }: LoadedYaml): MisreadTime[] {
  return numbers.flatMap(({ path, source }) => {
    if (path.slice(-2).join('.') !== 'slurm.time_limit' || !isSexagesimal(source)) return [];
    const read = path.reduce(
      (part: unknown, key) => (part as Readonly<Record<PropertyKey, unknown>>)[key],
      value,
    );
    const message = `is read by YAML as the number ${String(read)} (base 60): put it in quotes ('${source}'), or write a duration like '12h'`;
    return [{ path, message }];
  });
}

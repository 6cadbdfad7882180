import { boundedDuration, formatDuration, parseDuration } from '../grammar/duration.ts';
import { isAnyNumber, toNumber } from '../grammar/number-text.ts';
import { Problem, quote } from '../grammar/problem.ts';
import type { JsonSchema } from './json-form.ts';
import type { NumberLimits } from './scalars.ts';
import { type Reader, reader } from './schema-kit.ts';

const INTEGER: JsonSchema = { type: 'integer' };
const STRING: JsonSchema = { type: 'string' };
const BOOLEAN: JsonSchema = { type: 'boolean' };
const NULL: JsonSchema = { type: 'null' };
const OFF: JsonSchema = { type: 'string', const: 'off' };

/** Seconds; floats lose their fraction, `true` is 1 and `false` 0. */
export function readDuration(value: unknown): number | Problem {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (isAnyNumber(value) && Number.isFinite(toNumber(value))) {
    return boundedDuration(Math.trunc(toNumber(value)));
  }
  if (typeof value === 'string') return parseDuration(value);
  return new Problem(`must be a duration like '90s', '10m' or '2h', got ${quote(value)}`);
}

/** Seconds, as a number or a text like `90s`, `10m`, `2h`, `1d`. */
export const Duration: Reader<number> = duration();
export type Duration = number;

/** A duration with a lower limit in seconds. */
export function duration(limits: Pick<NumberLimits, 'ge'> = {}): Reader<number> {
  return reader(
    (value) => {
      const seconds = readDuration(value);
      if (seconds instanceof Problem || limits.ge === undefined || seconds >= limits.ge)
        return seconds;
      const least = formatDuration(limits.ge);
      return new Problem(`must be ${least} or more, got ${formatDuration(seconds)}`);
    },
    { anyOf: [INTEGER, STRING] },
    INTEGER,
  );
}

function nonNegative(value: unknown): number | Problem {
  const seconds = readDuration(value);
  if (seconds instanceof Problem || seconds >= 0) return seconds;
  return new Problem(`must not be negative, got ${seconds}: use a duration like '2h', or off`);
}

/** `off` or seconds; `true` means the default (null). JSON: seconds, `"off"` or null. */
export const OffableDuration: Reader<number | 'off' | null> = reader(
  (value) => {
    if (value === null || value === true) return null;
    return value === 'off' || value === false ? 'off' : nonNegative(value);
  },
  { anyOf: [INTEGER, STRING, BOOLEAN, NULL] },
  { anyOf: [INTEGER, OFF, NULL] },
);

/** How long an instance may idle. `off` is -1, any negative number means the same and is kept. */
export const IdleDuration: Reader<number | null> = reader(
  (value) => {
    if (value === null || value === true) return null;
    return value === 'off' || value === false ? -1 : readDuration(value);
  },
  { anyOf: [OFF, INTEGER, STRING, BOOLEAN, NULL] },
  { anyOf: [INTEGER, NULL] },
);

/** How long a dev environment may be without a user. `off` is null, which is the default too. */
export const InactivityDuration: Reader<number | null> = reader(
  (value) => {
    if (value === null || value === true || value === false || value === 'off') return null;
    return nonNegative(value);
  },
  { anyOf: [OFF, INTEGER, BOOLEAN, STRING, NULL] },
  { anyOf: [INTEGER, NULL] },
);

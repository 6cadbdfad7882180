/**
 * A float whose value is a whole number. The document loader creates one for `1.0`, so that the
 * text form of the number is kept (`1.0`, not `1`). Every other number is a plain `number` or,
 * above 2^53, a `bigint`.
 */
export class WholeFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  toString(): string {
    return floatText(this.value);
  }
}

export type AnyNumber = number | bigint | WholeFloat;

export function isAnyNumber(value: unknown): value is AnyNumber {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof WholeFloat;
}

export function toNumber(value: AnyNumber): number {
  return value instanceof WholeFloat ? value.value : Number(value);
}

/**
 * Text of a number where a string is expected, as dstack 0.22.5 (Python) writes it: `8080`, `1.0`,
 * `2.5`, `1e+20`, `1e-07`.
 */
export function numberText(value: AnyNumber): string {
  if (value instanceof WholeFloat) return floatText(value.value);
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return value.toString();
  return floatText(value);
}

/** Python's `repr` of a float: exponent form below 1e-4 and from 1e16 on, with two digits at least. */
function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  const [mantissa = '0', power = '0'] = value.toExponential().split('e');
  const exponent = Number(power);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    const digits = Math.abs(exponent).toString().padStart(2, '0');
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`;
  }
  const text = Object.is(value, -0) ? '-0' : value.toString();
  return Number.isInteger(value) ? `${text}.0` : text;
}

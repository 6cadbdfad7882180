import { WholeFloat } from '../grammar/number-text.ts';
import { Problem, quote } from '../grammar/problem.ts';

/** The value of an unquoted text in YAML 1.1. */
export type PlainValue = string | number | bigint | boolean | null | WholeFloat | Date;

// The patterns of YAML 1.1 as in PyYAML, for which existing documents were written.
const BOOL = /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON|no|No|NO|false|False|FALSE|off|Off|OFF)$/;
const TRUE = /^(?:yes|true|on)$/i;
const NULL = /^(?:~|null|Null|NULL|)$/;
const INT =
  /^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/;
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const DATE = /^\d{4}-\d\d-\d\d$/;
const DATE_TIME =
  /^(\d{4}-\d\d?-\d\d?)(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?$/;

/** Gives an unquoted text its YAML 1.1 type. */
export function resolvePlain(text: string): PlainValue | Problem {
  if (NULL.test(text)) return null;
  if (BOOL.test(text)) return TRUE.test(text);
  if (INT.test(text)) return readInt(text);
  if (FLOAT.test(text)) return readFloat(text);
  if (DATE.test(text) || DATE_TIME.test(text)) return readDate(text);
  if (text === '=' || text === '<<') {
    return new Problem(`has the bare value '${text}', which is reserved in YAML: put it in quotes`);
  }
  return text;
}

/** Whether a number is written in base 60, like `22:22`. */
export function isSexagesimal(text: string): boolean {
  return text.includes(':') && (INT.test(text) || FLOAT.test(text));
}

/** Whether a number is written in another base than 10, like `017` or `0x1F`. */
export function isOtherBase(text: string): boolean {
  return /^[-+]?0[0-7xb_]/.test(text) && INT.test(text);
}

/** The limit of Python: the cost of parsing digits grows faster than their number. */
const MOST_DIGITS = 4300;

/** Parses text tagged as an integer (`!!int`), or that looks like one. */
export function readInt(text: string): number | bigint | Problem {
  if (text.length > MOST_DIGITS) {
    return new Problem(`is a number of more than ${MOST_DIGITS} digits`);
  }
  if (!INT.test(text)) return new Problem(`is marked as integer, but is ${quote(text)}`);
  const digits = text.replaceAll('_', '');
  const sign = digits.startsWith('-') ? -1n : 1n;
  const value = sign * readDigits(digits.replace(/^[-+]/, ''));
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function readDigits(digits: string): bigint {
  if (digits.includes(':')) {
    return digits.split(':').reduce((sum, part) => sum * 60n + BigInt(part), 0n);
  }
  if (/^0[bx]/.test(digits)) return digits.length > 2 ? BigInt(digits) : 0n;
  return /^0\d/.test(digits) ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits);
}

/** Parses text tagged as a float (`!!float`), or that looks like one. */
export function readFloat(text: string): number | WholeFloat | Problem {
  if (!FLOAT.test(text) && !INT.test(text)) {
    return new Problem(`is marked as float, but is ${quote(text)}`);
  }
  const digits = text.replaceAll('_', '').toLowerCase();
  const sign = digits.startsWith('-') ? -1 : 1;
  const value = sign * readUnsignedFloat(digits.replace(/^[-+]/, ''));
  return Number.isInteger(value) ? new WholeFloat(value) : value;
}

function readUnsignedFloat(digits: string): number {
  if (digits === '.inf') return Infinity;
  if (digits === '.nan') return Number.NaN;
  return digits.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}

function readDate(text: string): Date | Problem {
  const day = DATE_TIME.exec(text)?.[1] ?? text;
  const [year = 0, month = 0, dayOfMonth = 0] = day.split('-').map(Number);
  const date = new Date(Date.UTC(year, month - 1, dayOfMonth));
  if (date.getUTCMonth() === month - 1 && date.getUTCDate() === dayOfMonth) return date;
  return new Problem(`looks like a date, but there is no ${day}: put it in quotes`);
}

/** Parses text tagged as a boolean (`!!bool`). */
export function readBoolean(text: string): boolean | Problem {
  if (BOOL.test(text)) return TRUE.test(text);
  return new Problem(`is marked as boolean, but is ${quote(text)}`);
}

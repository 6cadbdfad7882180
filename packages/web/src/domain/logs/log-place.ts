import type { LogLine } from './line-reader.ts';

/** A place in a job's output, as links to it have it: `#t=2026-11-27T14:03:10.120Z&at=48213`. */
export interface LogPlace {
  /** The first byte of a line; null: only the time is known. */
  readonly offset: number | null;
  /** Milliseconds since the epoch. */
  readonly time: number | null;
}

/** Null if the hash of an address (without `#`) names no place. */
export function readPlace(hash: string): LogPlace | null {
  const parameters = new URLSearchParams(hash);
  const at = parameters.get('at') ?? '';
  const offset = /^\d{1,15}$/.test(at) ? Number(at) : null;
  const parsed = Date.parse(parameters.get('t') ?? '');
  const time = Number.isNaN(parsed) ? null : parsed;
  return offset === null && time === null ? null : { offset, time };
}

export function placeHash({ offset, time }: LogPlace): string {
  const parts = [
    ...(time === null ? [] : [`t=${new Date(time).toISOString()}`]),
    ...(offset === null ? [] : [`at=${offset}`]),
  ];
  return parts.join('&');
}

/** The line that begins at the place or contains it, or the first one from its time on; null: it is not there. */
export function lineAt(lines: readonly LogLine[], place: LogPlace): LogLine | null {
  const { offset, time } = place;
  if (offset !== null) return lineWithByte(lines, offset);
  if (time === null) return null;
  return lines.find((line) => line.time !== null && line.time >= time) ?? null;
}

function lineWithByte(lines: readonly LogLine[], offset: number): LogLine | null {
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((lines[middle]?.offset ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return lines[low - 1] ?? null;
}

export interface LoadedRange {
  readonly lines: readonly LogLine[];
  readonly start: number;
  readonly end: number;
}

/** Whether the place is in what was loaded, or after all of it where nothing follows. */
export function isLoaded({ lines, start, end }: LoadedRange, place: LogPlace): boolean {
  const { offset, time } = place;
  if (lines.length === 0) return false;
  if (offset !== null) return offset >= start && offset < end;
  const first = lines.find((line) => line.time !== null)?.time ?? null;
  const last = lines.findLast((line) => line.time !== null)?.time ?? null;
  if (time === null || first === null || last === null) return false;
  return time <= last && (start === 0 || time >= first);
}

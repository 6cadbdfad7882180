/** The times of the board, in ms, and their places from 0 (left) to 1. */
export interface TimeAxis {
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly { readonly time: number; readonly place: number }[];
  /** The place of a time, within the axis. */
  readonly at: (time: number) => number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** How far the board looks ahead, in hours. */
export const HORIZONS = ['1', '6', '24'] as const;
export type Horizon = (typeof HORIZONS)[number];

const TICKS: Readonly<Record<Horizon, number>> = {
  '1': 10 * MINUTE,
  '6': HOUR,
  '24': 4 * HOUR,
};

/** The part of the horizon that is shown of the past. */
const PAST = 1 / 6;

/** `offset`: of the reader's time zone to UTC in ms, so that ticks are at whole hours there. */
export function timeAxis(now: number, horizon: Horizon, offset = 0): TimeAxis {
  const ahead = Number(horizon) * HOUR;
  const from = now - ahead * PAST;
  const to = now + ahead;
  const at = (time: number) => Math.min(1, Math.max(0, (time - from) / (to - from)));
  const step = TICKS[horizon];
  const first = Math.ceil((from + offset) / step) * step - offset;
  const ticks: { time: number; place: number }[] = [];
  for (let time = first; time < to; time += step) ticks.push({ time, place: at(time) });
  return { from, to, ticks, at };
}

/** How often the board moves on: by about a pixel. */
export const paceOf = (horizon: Horizon): number => Number(horizon) * 5000;

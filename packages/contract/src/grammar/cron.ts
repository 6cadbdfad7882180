import { Problem, quote } from './problem.ts';

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly words?: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** Weekdays of dstack 0.22.5 count from Monday = 0, unlike the usual cron. */
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, words: MONTHS },
  { name: 'day of week', min: 0, max: 6, words: WEEKDAYS },
];

/**
 * A schedule, in UTC: for each field the allowed values, rising. `lastDay` adds the last day of the
 * month. Day and weekday must both match.
 */
export interface CronSchedule {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days: readonly number[];
  readonly lastDay: boolean;
  readonly months: readonly number[];
  /** 0 = Monday … 6 = Sunday. */
  readonly weekdays: readonly number[];
}

/** Reads the five fields `minute hour day month weekday`. */
export function parseCron(text: string): CronSchedule | Problem {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== FIELDS.length) {
    return new Problem(
      `must have five fields (minute hour day month weekday) like '0 8 * * mon-fri', got ${quote(text)}`,
    );
  }
  const values: number[][] = [];
  let lastDay = false;
  for (const [index, field] of FIELDS.entries()) {
    const set = new Set<number>();
    for (const part of (fields[index] ?? '').split(',')) {
      if (index === 2 && part.toLowerCase() === 'last') lastDay = true;
      else {
        const problem = addPart(set, part, field);
        if (problem) return problem;
      }
    }
    values.push([...set].sort((a, b) => a - b));
  }
  const [minutes = [], hours = [], days = [], months = [], weekdays = []] = values;
  return { minutes, hours, days, lastDay, months, weekdays };
}

/** `*`, `a`, `a-b`, each with `/step`. */
function addPart(set: Set<number>, part: string, field: Field): Problem | undefined {
  const match = /^(?:(\*)|([^-/]+)(?:-([^-/]+))?)(?:\/(\d+))?$/.exec(part);
  if (!match) return wrongField(part, field);
  const [, star, first, second, stepText] = match;
  const from = star ? field.min : readValue(first ?? '', field);
  const open = star !== undefined || (stepText !== undefined && second === undefined);
  const to = open ? field.max : second === undefined ? from : readValue(second, field);
  if (from === undefined || to === undefined) return wrongField(part, field);
  if (from > to) return new Problem(`has a reversed range '${part}' in the field '${field.name}'`);
  const step = stepText === undefined ? 1 : Number(stepText);
  if (step < 1 || step > to - from + (stepText === undefined ? 1 : 0)) {
    return new Problem(
      `has a step of ${stepText} in the field '${field.name}', whose span is ${to - from}`,
    );
  }
  for (let value = from; value <= to; value += step) set.add(value);
  return undefined;
}

function readValue(text: string, field: Field): number | undefined {
  if (/^\d+$/.test(text)) {
    const value = Number(text);
    return value >= field.min && value <= field.max ? value : undefined;
  }
  const index = field.words?.indexOf(text.toLowerCase()) ?? -1;
  return index === -1 ? undefined : index + field.min;
}

function wrongField(part: string, field: Field): Problem {
  const words = field.words ? ` or ${field.words[0]}-${field.words.at(-1)}` : '';
  return new Problem(
    `has ${quote(part)} in the field '${field.name}', which takes ${field.min}-${field.max}${words}`,
  );
}

const DAY = 86_400_000;

/** How many months are looked at. The cost of a schedule that fires rarely, or never, is theirs. */
const MONTHS_AHEAD = 12 * 8;

/** The next instant after `after` (milliseconds since the epoch) that matches, or undefined in 8 years. */
export function nextCronTime(cron: CronSchedule, after: number): number | undefined {
  const start = Math.floor(after / 60_000) * 60_000 + 60_000;
  const from = new Date(start);
  const [year, month] = [from.getUTCFullYear(), from.getUTCMonth()];
  for (let ahead = 0; ahead <= MONTHS_AHEAD; ahead += 1) {
    if (!cron.months.includes(((month + ahead) % 12) + 1)) continue;
    const first = Date.UTC(year, month + ahead, 1);
    for (const day of daysOf(cron, first, Date.UTC(year, month + ahead + 1, 1))) {
      if (day + DAY <= start) continue;
      for (const hour of cron.hours) {
        for (const minute of cron.minutes) {
          const time = day + (hour * 60 + minute) * 60_000;
          if (time >= start) return time;
        }
      }
    }
  }
  return undefined;
}

/** The beginnings of the days that match, of the month from `first` to before `next`. */
function* daysOf(cron: CronSchedule, first: number, next: number): Iterable<number> {
  for (let day = first, date = 1; day < next; day += DAY, date += 1) {
    const isDay = cron.days.includes(date) || (cron.lastDay && day + DAY === next);
    if (isDay && cron.weekdays.includes((new Date(day).getUTCDay() + 6) % 7)) yield day;
  }
}

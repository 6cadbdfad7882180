/** Puts what was read in the place of what was known, unless it cannot be true. */
import { keyOf, type PriceRow } from './price-row.ts';
import type { Reading } from './reader.ts';

export interface Merged {
  readonly rows: readonly PriceRow[];
  /** Why the last rows are kept; null: they are replaced. */
  readonly kept: string | null;
  readonly notes: readonly string[];
}

export interface MergeOptions {
  /** `2026-12-01` */
  readonly today: string;
  /** Takes what would be refused: a person has looked at it. */
  readonly isAccepted: boolean;
}

/** A price or a size that changes by more than this is a mistake, until a person accepts it. */
const FACTOR = 3;
/** If more than this share of the rows did, the list as a whole is not believed. */
const WRONG_SHARE = 0.1;
/** If more than this share of the known types and locations is missing, it is not either. */
const LOST_SHARE = 0.5;
const NAMED = 3;

/** No machine has more, so that a number in another unit is none. */
const MOST = {
  price: 1000,
  cpus: 4096,
  memoryGb: 65_536,
  gpuCount: 64,
  gpuMemoryGb: 1024,
} as const;

export function merge(known: readonly PriceRow[], reading: Reading, options: MergeOptions): Merged {
  const valid = reading.rows.filter(isPossible);
  const impossible = reading.rows.length - valid.length;
  const notes = [
    ...reading.notes,
    ...(impossible > 0 ? [`${impossible} rows with impossible sizes or prices are left out`] : []),
  ];
  const before = new Map(known.map((row) => [keyOf(row), row]));
  const found = new Map(valid.map((row) => [keyOf(row), row]));
  const wrong = valid.filter((row) => wrongChange(before.get(keyOf(row)), row) !== null);
  const doubt = options.isAccepted ? null : doubtOf(before, found, wrong);
  if (doubt !== null) return { rows: known, kept: doubt, notes };
  const refused = new Set(options.isAccepted ? [] : wrong.map(keyOf));
  const rows = [...found].map(([key, row]) => {
    const last = before.get(key);
    if (last === undefined) return { ...row, asOf: options.today };
    return refused.has(key) ? last : withLast(last, row, options.today);
  });
  return { rows, kept: null, notes: [...notes, ...changesOf({ before, found, wrong, refused })] };
}

/** Spot prices that a public list does not have stay, and the date of what is the same. */
function withLast(last: PriceRow, row: PriceRow, today: string): PriceRow {
  const isBelow = last.spotPrice !== null && (row.price === null || last.spotPrice < row.price);
  const next = {
    ...row,
    spotPrice: row.spotPrice ?? (isBelow ? last.spotPrice : null),
    flags: row.flags || last.flags,
    moreData: row.moreData || last.moreData,
  };
  return essence(next) === essence(last) ? last : { ...next, asOf: today };
}

const essence = ({ asOf, ...row }: PriceRow): string => JSON.stringify(row);

function isPossible(row: PriceRow): boolean {
  const prices = [row.price, row.spotPrice].filter((one) => one !== null);
  const hasPrice = prices.length > 0 && prices.every((one) => isWithin(one, MOST.price));
  const hasSizes = isWithin(row.cpus, MOST.cpus) && isWithin(row.memoryGb, MOST.memoryGb);
  return hasPrice && hasSizes && row.gpuCount >= 0 && (row.gpuCount === 0 || hasGpus(row));
}

const hasGpus = ({ gpuCount, gpuName, gpuMemoryGb }: PriceRow): boolean =>
  Number.isInteger(gpuCount) &&
  isWithin(gpuCount, MOST.gpuCount) &&
  gpuName !== null &&
  isWithin(gpuMemoryGb, MOST.gpuMemoryGb);

const isWithin = (value: number, most: number): boolean => value > 0 && value <= most;

/** What a row has of a type, for people. A size of 0 is one that is not known, except of GPUs. */
const QUANTITIES = {
  price: (value: number) => `$${value}`,
  spotPrice: (value: number) => `$${value}`,
  cpus: (value: number) => `${value} processors`,
  memoryGb: (value: number) => `${value} GB`,
  gpuCount: (value: number) => `${value} GPUs`,
  gpuMemoryGb: (value: number) => `${value} GB of a GPU`,
} as const;

/** The first quantity that has changed too much; null = none has. */
function wrongChange(last: PriceRow | undefined, row: PriceRow): string | null {
  if (last === undefined) return null;
  const names = Object.keys(QUANTITIES) as (keyof typeof QUANTITIES)[];
  for (const name of names) {
    const [before, now] = [last[name], row[name]];
    if (before === null || now === null) continue;
    const isKnown = before > 0 || name === 'gpuCount';
    const isFar = now > before * FACTOR || now < before / FACTOR;
    const text = QUANTITIES[name];
    if (isKnown && isFar) return `${text(before)} → ${text(now)}`;
  }
  return null;
}

function doubtOf(
  before: ReadonlyMap<string, PriceRow>,
  found: ReadonlyMap<string, PriceRow>,
  wrong: readonly PriceRow[],
): string | null {
  if (found.size === 0) return 'its list has no prices';
  if (before.size === 0) return null;
  const shared = [...before.keys()].filter((key) => found.has(key)).length;
  if (before.size - shared > before.size * LOST_SHARE) {
    return `its list has only ${shared} of the ${before.size} types and locations that were known`;
  }
  if (wrong.length > shared * WRONG_SHARE) {
    const examples = listText(wrong.map((row) => wrongText(before, row)));
    return `${wrong.length} of ${shared} prices or sizes have changed by more than a factor of ${FACTOR}: ${examples}`;
  }
  return null;
}

const wrongText = (before: ReadonlyMap<string, PriceRow>, row: PriceRow): string =>
  `${row.instanceName} in ${row.location} ${wrongChange(before.get(keyOf(row)), row)}`;

interface Changes {
  readonly before: ReadonlyMap<string, PriceRow>;
  readonly found: ReadonlyMap<string, PriceRow>;
  readonly wrong: readonly PriceRow[];
  readonly refused: ReadonlySet<string>;
}

function changesOf({ before, found, wrong, refused }: Changes): string[] {
  const lost = [...before].filter(([key]) => !found.has(key)).map(([, row]) => row);
  const gone = lost.map(({ instanceName, location }) => `${instanceName} in ${location}`);
  const examples = listText(wrong.map((row) => wrongText(before, row)));
  return [
    ...(gone.length > 0 ? [`${gone.length} are not sold any more: ${listText(gone)}`] : []),
    ...(refused.size > 0
      ? [
          `${refused.size} prices or sizes stay, which have changed by more than a factor of ${FACTOR}: ${examples}`,
        ]
      : []),
  ];
}

function listText(texts: readonly string[]): string {
  const more = texts.length - NAMED;
  return `${texts.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

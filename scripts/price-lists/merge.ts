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

/** A price that changes by more than this is a mistake, until a person accepts it. */
const FACTOR = 3;
/** If more than this share of the prices did, the list as a whole is not believed. */
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
  const wrong = valid.filter((row) => isWrong(before.get(keyOf(row)), row));
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

/** On demand or as spot. */
function isWrong(last: PriceRow | undefined, row: PriceRow): boolean {
  if (last === undefined) return false;
  const pairs = [
    [last.price, row.price],
    [last.spotPrice, row.spotPrice],
  ] as const;
  return pairs.some(
    ([before, now]) =>
      before !== null && now !== null && (now > before * FACTOR || now < before / FACTOR),
  );
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
    return `${wrong.length} of ${shared} prices have changed by more than a factor of ${FACTOR}: ${examples}`;
  }
  return null;
}

function wrongText(before: ReadonlyMap<string, PriceRow>, row: PriceRow): string {
  const last = before.get(keyOf(row));
  const [was, is] =
    last?.price != null && row.price !== null
      ? [last.price, row.price]
      : [last?.spotPrice, row.spotPrice];
  return `${row.instanceName} in ${row.location} $${was} → $${is}`;
}

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
          `${refused.size} prices stay, which have changed by more than a factor of ${FACTOR}: ${examples}`,
        ]
      : []),
  ];
}

function listText(texts: readonly string[]): string {
  const more = texts.length - NAMED;
  return `${texts.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

import { withoutControls } from './ansi.ts';
import type { LogLine } from './line-reader.ts';

export interface Hit {
  readonly line: number;
  /** In the plain text of the line, characters. */
  readonly from: number;
  readonly to: number;
}

/** More hits are counted, but not remembered. */
export const MAX_HITS = 10_000;

/** All places that contain the text, ignoring case. */
export function findHits(lines: readonly LogLine[], query: string): readonly Hit[] {
  return new LogSearch(query).update(lines);
}

/** The hits in a log that grows at both ends; every complete line is searched once. */
export class LogSearch {
  readonly #needle: string;
  #hits: readonly Hit[] = [];
  #first = Number.POSITIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;

  constructor(query: string) {
    this.#needle = query.toLowerCase();
  }

  /** The same list as before if there is nothing new. The last line may still grow: it is searched last. */
  update(lines: readonly LogLine[]): readonly Hit[] {
    const first = lines[0]?.id;
    if (first === undefined || this.#needle === '') return this.#hits;
    const lastComplete = (lines.at(-1)?.id ?? 0) - 1;
    const before = this.#search(lines, first, Math.min(this.#first - 1, lastComplete));
    const isFirstTime = this.#first === Number.POSITIVE_INFINITY;
    const after = isFirstTime
      ? []
      : this.#search(lines, Math.max(first, this.#last + 1), lastComplete);
    this.#first = Math.min(this.#first, first);
    this.#last = Math.max(this.#last, lastComplete);
    if (before.length + after.length > 0) {
      this.#hits = [...before, ...this.#hits, ...after].slice(0, MAX_HITS);
    }
    const open = this.#search(lines, lastComplete + 1, lastComplete + 1);
    return open.length === 0 ? this.#hits : [...this.#hits, ...open];
  }

  /** Lines with ids from `from` to `to`; ids are consecutive. */
  #search(lines: readonly LogLine[], from: number, to: number): Hit[] {
    const first = lines[0]?.id ?? 0;
    const hits: Hit[] = [];
    for (let at = Math.max(0, from - first); at <= to - first && hits.length < MAX_HITS; at += 1) {
      const line = lines[at];
      if (line === undefined || line.isNote) continue;
      for (const range of hitsIn(plainText(line), this.#needle)) {
        hits.push({ line: line.id, ...range });
      }
    }
    return hits;
  }
}

/** Of lines with control sequences, which are removed once and not with each key that is typed. */
const plainTexts = new WeakMap<LogLine, string>();

function plainText(line: LogLine): string {
  const known = plainTexts.get(line);
  if (known !== undefined) return known;
  const plain = withoutControls(line.text);
  if (plain !== line.text) plainTexts.set(line, plain);
  return plain;
}

/** `needle` is in lower case. */
export function hitsIn(text: string, needle: string): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = [];
  if (needle === '') return found;
  const haystack = text.toLowerCase();
  for (
    let at = haystack.indexOf(needle);
    at >= 0;
    at = haystack.indexOf(needle, at + needle.length)
  ) {
    found.push({ from: at, to: at + needle.length });
  }
  return found;
}

/** The hit to show after `current` (−1: none yet), around the end. */
export function nextHit(count: number, current: number, step: 1 | -1): number {
  if (count === 0) return -1;
  if (current < 0) return step === 1 ? 0 : count - 1;
  return (current + step + count) % count;
}

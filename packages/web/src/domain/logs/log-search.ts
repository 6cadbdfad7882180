import { withoutControls } from './ansi.ts';
import { lineIndex } from './line-list.ts';
import type { LogLine } from './line-reader.ts';

/** A part of a line, in characters of its plain text. */
export interface Mark {
  readonly from: number;
  readonly to: number;
}

export interface Hit extends Mark {
  /** The id of the line. */
  readonly line: number;
}

/** More hits are not looked for. */
export const MAX_HITS = 50_000;

/** All places that contain the text, ignoring case unless `matchCase`. */
export function findHits(
  lines: readonly LogLine[],
  query: string,
  matchCase = false,
): readonly Hit[] {
  return new LogSearch(query, matchCase).update(lines);
}

/** The hits in a log that grows at both ends; every complete line is searched once. */
export class LogSearch {
  readonly #marksOf: (text: string) => readonly Mark[];
  readonly #isEmpty: boolean;
  #hits: readonly Hit[] = [];
  #first = Number.POSITIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;

  constructor(query: string, matchCase = false) {
    const needle = matchCase ? query : query.toLowerCase();
    this.#isEmpty = query === '';
    this.#marksOf = (text) => hitsIn(text, needle, matchCase);
  }

  /** The same list as before if there is nothing new. The last line may still grow: it is searched last. */
  update(lines: readonly LogLine[]): readonly Hit[] {
    const first = lines[0]?.id;
    if (first === undefined || this.#isEmpty) return this.#hits;
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

  /** Lines with ids from `from` to `to`. */
  #search(lines: readonly LogLine[], from: number, to: number): Hit[] {
    const hits: Hit[] = [];
    for (let at = lineIndex(lines, from); hits.length < MAX_HITS; at += 1) {
      const line = lines[at];
      if (line === undefined || line.id > to) break;
      if (line.isNote) continue;
      for (const mark of this.#marksOf(lineText(line))) hits.push({ line: line.id, ...mark });
    }
    return hits;
  }
}

/** Texts of lines without their control sequences, which are removed once and not for each search. */
const plainTexts = new WeakMap<LogLine, string>();

/** The text of a line without control sequences, as readers see it. */
export function lineText(line: LogLine): string {
  const known = plainTexts.get(line);
  if (known !== undefined) return known;
  const plain = withoutControls(line.text);
  if (plain !== line.text) plainTexts.set(line, plain);
  return plain;
}

/** `needle` is in lower case unless `matchCase`. */
export function hitsIn(text: string, needle: string, matchCase = false): Mark[] {
  const found: Mark[] = [];
  if (needle === '') return found;
  const haystack = matchCase ? text : text.toLowerCase();
  for (
    let at = haystack.indexOf(needle);
    at >= 0;
    at = haystack.indexOf(needle, at + needle.length)
  ) {
    found.push({ from: at, to: at + needle.length });
  }
  return found;
}

/** The hits of one line; hits are in the order of lines. */
export function hitsOfLine(hits: readonly Hit[], line: number): readonly Mark[] {
  let low = 0;
  let high = hits.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((hits[middle]?.line ?? 0) < line) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (hits[end]?.line === line) end += 1;
  return end === low ? NO_MARKS : hits.slice(low, end);
}

const NO_MARKS: readonly Mark[] = [];

export const noMarks = (): readonly Mark[] => NO_MARKS;

/** The hit to show after `current` (−1: none yet), around the end. */
export function nextHit(count: number, current: number, step: 1 | -1): number {
  if (count === 0) return -1;
  if (current < 0) return step === 1 ? 0 : count - 1;
  return (current + step + count) % count;
}

import { lineIndex } from './line-list.ts';
import type { LogLine } from './line-reader.ts';
import { type Hit, lineText, MAX_HITS } from './log-search.ts';
import type { PatternAnswer, PatternChunk, PatternStart } from './pattern-matches.ts';

/** Where a regular expression is applied; it can be ended while it is busy. */
export interface PatternWorker {
  onAnswer: (answer: PatternAnswer) => void;
  readonly postMessage: (message: PatternStart | PatternChunk) => void;
  readonly terminate: () => void;
}

export interface PatternSearchOptions {
  readonly source: string;
  readonly matchCase: boolean;
  readonly startWorker: () => PatternWorker;
  /** There are new hits, or the state has changed. */
  readonly onChange: () => void;
  readonly setTimer?: (run: () => void, ms: number) => () => void;
}

export type PatternState = 'searching' | 'done' | 'too slow';

/** For one chunk, and for one line of a chunk that was not searched within it. */
const LIMIT_MS = 700;
/** The search ends when this many lines took longer. */
const MOST_SKIPPED = 3;
const CHUNK_LINES = 2000;
const CHUNK_TEXT = 512 * 1024;

/** The error in a regular expression, in words; null: it is valid. */
export function patternProblem(source: string): string | null {
  try {
    new RegExp(source);
    return null;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    return message.slice(message.lastIndexOf(': ') + 1).trim() || 'Not a regular expression';
  }
}

/**
 * The matches of a regular expression in a log that grows at both ends. A worker searches, because an
 * expression may take for ever on a line of a hostile job; such lines are skipped.
 */
export class PatternSearch {
  readonly #options: PatternSearchOptions;
  #worker: PatternWorker | null = null;
  #lines: readonly LogLine[] = [];
  /** Lines that are being searched, in which places count, and whether a line took too long. */
  #chunk: { readonly lines: readonly LogLine[]; readonly isCareful: boolean } | null = null;
  #place = 0;
  #stopTimer: () => void = () => {};
  #first: number | null = null;
  #last = Number.NEGATIVE_INFINITY;
  #open: LogLine | null = null;
  #closed: readonly Hit[] = [];
  #openHits: readonly Hit[] = [];
  #skipped = 0;
  #isClosed = false;
  hits: readonly Hit[] = [];
  state: PatternState = 'searching';

  constructor(options: PatternSearchOptions) {
    this.#options = options;
  }

  /** Lines that were left out because they took too long. */
  get skipped(): number {
    return this.#skipped;
  }

  /** The lines as they are now. The last one may still grow. */
  update(lines: readonly LogLine[]): void {
    this.#lines = lines;
    if (this.#chunk === null) this.#next();
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #next(): void {
    if (this.#isClosed || this.state === 'too slow') return;
    const lines = this.#nextLines();
    const state = lines.length === 0 ? 'done' : 'searching';
    const isNews = state !== this.state;
    this.state = state;
    if (lines.length > 0) this.#search(lines, false);
    else if (isNews) this.#options.onChange();
  }

  /** Complete lines after those that were searched, then those before them, then the last line. */
  #nextLines(): readonly LogLine[] {
    const lines = this.#lines;
    const open = lines.at(-1);
    if (open === undefined || this.#closed.length >= MAX_HITS) return [];
    const end = lines.length - 1;
    const first = this.#first;
    const after = first === null ? 0 : Math.min(end, lineIndex(lines, this.#last + 1));
    if (after < end) return chunkFrom(lines, after, end);
    const before = first === null ? 0 : Math.min(end, lineIndex(lines, first));
    if (before > 0) return chunkBefore(lines, before);
    return open === this.#open ? [] : [open];
  }

  #search(lines: readonly LogLine[], isCareful: boolean): void {
    this.#chunk = { lines, isCareful };
    this.#place = 0;
    const worker = this.#worker ?? this.#startWorker();
    this.#restartTimer();
    worker.postMessage({
      kind: 'search',
      texts: lines.map((line) => (line.isNote ? '' : lineText(line))),
      most: MAX_HITS,
      reportsPlaces: isCareful,
    });
  }

  #startWorker(): PatternWorker {
    const { source, matchCase, startWorker } = this.#options;
    const worker = startWorker();
    this.#worker = worker;
    worker.onAnswer = (data) => {
      if (worker !== this.#worker) return;
      if (data.kind === 'at') {
        this.#place = data.place;
        this.#restartTimer();
      } else {
        this.#onMatches(data.triples);
      }
    };
    worker.postMessage({ kind: 'start', source, flags: matchCase ? 'g' : 'gi' });
    return worker;
  }

  #onMatches(triples: readonly number[]): void {
    this.#stopTimer();
    const lines = this.#chunk?.lines ?? [];
    const hits: Hit[] = [];
    for (let at = 0; at < triples.length; at += 3) {
      const [place = 0, from = 0, to = 0] = triples.slice(at, at + 3);
      hits.push({ line: lines[place]?.id ?? 0, from, to });
    }
    this.#chunk = null;
    this.#add(lines, hits);
    this.#next();
  }

  #add(lines: readonly LogLine[], hits: readonly Hit[]): void {
    const [from, to] = [lines[0]?.id ?? 0, lines.at(-1)?.id ?? 0];
    if (lines.length === 1 && lines[0] === this.#lines.at(-1)) {
      this.#open = lines[0] ?? null;
      this.#openHits = hits;
    } else {
      const isBefore = this.#first !== null && to < this.#first;
      this.#closed = isBefore ? [...hits, ...this.#closed] : [...this.#closed, ...hits];
      this.#first = Math.min(this.#first ?? from, from);
      this.#last = Math.max(this.#last, to);
      // The last line was continued: its hits are among the new ones.
      if (to >= (this.#open?.id ?? Number.POSITIVE_INFINITY)) this.#openHits = [];
    }
    const all = this.#openHits.length === 0 ? this.#closed : [...this.#closed, ...this.#openHits];
    if (all.length === this.hits.length && hits.length === 0) return;
    this.hits = all.slice(0, MAX_HITS);
    this.#options.onChange();
  }

  #onTooSlow(): void {
    this.#stop();
    const chunk = this.#chunk;
    if (chunk === null) return;
    // Once more, line by line, to find the one that takes so long.
    if (!chunk.isCareful && chunk.lines.length > 1) {
      this.#search(chunk.lines, true);
      return;
    }
    const slow = this.#place;
    this.#skipped += 1;
    if (this.#skipped >= MOST_SKIPPED) {
      this.#chunk = null;
      this.state = 'too slow';
      this.#options.onChange();
      return;
    }
    const others = chunk.lines.map((line, place) => (place === slow ? asNote(line) : line));
    if (others.length > 1) {
      this.#search(others, true);
      return;
    }
    this.#chunk = null;
    this.#add(chunk.lines, []);
    this.#next();
  }

  #restartTimer(): void {
    this.#stopTimer();
    const { setTimer = browserTimer } = this.#options;
    this.#stopTimer = setTimer(() => this.#onTooSlow(), LIMIT_MS);
  }

  #stop(): void {
    this.#stopTimer();
    this.#worker?.terminate();
    this.#worker = null;
  }
}

/** Notes are not searched. */
const asNote = (line: LogLine): LogLine => ({ ...line, isNote: true });

function chunkFrom(lines: readonly LogLine[], from: number, end: number): readonly LogLine[] {
  let to = from;
  for (let text = 0; to < end && to - from < CHUNK_LINES && text < CHUNK_TEXT; to += 1) {
    text += lines[to]?.text.length ?? 0;
  }
  return lines.slice(from, to);
}

function chunkBefore(lines: readonly LogLine[], end: number): readonly LogLine[] {
  let from = end;
  for (let text = 0; from > 0 && end - from < CHUNK_LINES && text < CHUNK_TEXT; from -= 1) {
    text += lines[from - 1]?.text.length ?? 0;
  }
  return lines.slice(from, end);
}

function browserTimer(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CutterState,
  cutEvents,
  cutterAfter,
  type EventRecord,
  START,
} from './event-cutter.ts';
import { type EventSource, readPage } from './event-page.ts';
import { decodeEvents, encodeEvents } from './event-records.ts';
import type { PageEvent } from './log-page.ts';

interface Piece {
  readonly time: number;
  readonly bytes: Uint8Array;
}

/** Output of ordinary and hostile programs: text, redraws, escapes, broken characters. */
const output = fc
  .array(
    fc
      .oneof(
        fc.constantFrom(
          ...[
            '\n',
            '\r',
            '\r\n',
            '\b',
            '\x1b',
            '\x1b[',
            '\x1b[31m',
            '\x1b[K',
            '\x1b[2K',
            '\x1b[3D',
          ],
          ...['\x1b[9C', '\x1b]0;t', '\x07', '\x1b\\', '\u009b1m', '\x1bE', '100%', 'héllo', '😀'],
        ),
        fc.string({ maxLength: 8 }),
      )
      .map((text) => Buffer.from(text)),
    { maxLength: 40 },
  )
  .chain((parts) =>
    fc.oneof(fc.constant(Buffer.concat(parts)), fc.uint8Array({ maxLength: 60 }).map(Buffer.from)),
  );

/** The same bytes in pieces, with pauses of up to 4 s between them. */
const pieces = fc
  .tuple(output, fc.array(fc.tuple(fc.nat(20), fc.constantFrom(0, 1, 900_000, 4_000_000))))
  .map(([bytes, cuts]) => {
    const out: Piece[] = [];
    let [at, time] = [0, 1_000_000];
    for (const [length, silence] of cuts) {
      out.push({ time, bytes: bytes.subarray(at, at + length) });
      at += length;
      time += silence;
    }
    return [...out, { time, bytes: bytes.subarray(at) }].filter((piece) => piece.bytes.length > 0);
  });

function feed(state: CutterState, list: readonly Piece[]): EventRecord[] {
  return list.flatMap(({ time, bytes }) => cutEvents(state, { type: 'bytes', time, bytes }));
}

function sourceOf(records: readonly EventRecord[], list: readonly Piece[]): EventSource {
  const all = Buffer.concat(list.map((piece) => piece.bytes));
  return {
    count: records.length,
    records: async (first, count) => records.slice(first, first + count),
    raw: async (from, to) => all.subarray(from, to),
  };
}

async function events(records: readonly EventRecord[], list: readonly Piece[]) {
  const query = { startTime: null, endTime: null, descending: false, nextToken: null, limit: 1000 };
  return (await readPage(sourceOf(records, list), query)).events;
}

const text = (list: readonly PageEvent[]) => list.map((event) => event.text).join('');

describe('events of output', () => {
  it('do not depend on how the output was cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, async (list) => {
        const atOnce = list.map(({ bytes }) => ({ time: 1_000_000, bytes }));
        const whole = { time: 1_000_000, bytes: Buffer.concat(list.map((piece) => piece.bytes)) };
        const [a, b] = [cutterAfter(START), cutterAfter(START)];
        const cut = [...feed(a, atOnce), ...cutEvents(a, { type: 'end' })];
        const uncut = [...feed(b, [whole]), ...cutEvents(b, { type: 'end' })];
        expect(cut).toEqual(uncut);
      }),
    );
  });

  it('contain no escape, no carriage return, and only UTF-8', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, async (list) => {
        const state = cutterAfter(START);
        const records = [...feed(state, list), ...cutEvents(state, { type: 'end' })];
        const shown = await events(records, list);
        expect(text(shown)).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/);
        for (const event of shown) expect(event.text.isWellFormed()).toBe(true);
        expect(Buffer.byteLength(text(shown))).toBe(records.at(-1)?.totalText ?? 0);
      }),
    );
  });

  it('have strictly rising times and ends', () => {
    fc.assert(
      fc.property(pieces, (list) => {
        const records = [START, ...feed(cutterAfter(START), list)];
        for (let i = 1; i < records.length; i++) {
          expect(records[i]!.time).toBeGreaterThan(records[i - 1]!.time);
          expect(records[i]!.end).toBeGreaterThan(records[i - 1]!.end);
        }
      }),
    );
  });

  it('continue after a crash as if there had been none', () => {
    fc.assert(
      fc.property(pieces, fc.nat(), (list, choice) => {
        const whole = feed(cutterAfter(START), list);
        const kept = choice % (whole.length + 1);
        const last = decodeEvents(encodeEvents(whole.slice(0, kept))).at(-1) ?? START;
        let at = 0;
        const rest = list.flatMap(({ time, bytes }) => {
          const fresh = bytes.subarray(Math.max(0, last.end - at));
          at += bytes.length;
          return fresh.length > 0 ? [{ time, bytes: fresh }] : [];
        });
        expect(feed(cutterAfter(last), rest)).toEqual(whole.slice(kept));
      }),
    );
  });

  it('show an unfinished line after half a second of silence', () => {
    const state = cutterAfter(START);
    const bytes = Buffer.from('password: ');
    expect(cutEvents(state, { type: 'bytes', time: 1_000_000, bytes })).toEqual([]);
    expect(cutEvents(state, { type: 'idle', time: 1_499_999 })).toEqual([]);
    expect(cutEvents(state, { type: 'idle', time: 1_500_000 })).toMatchObject([{ end: 10 }]);
    expect(cutEvents(state, { type: 'idle', time: 9_000_000 })).toEqual([]);
  });

  it('show a line that never pauses after three seconds', () => {
    const state = cutterAfter(START);
    const dots = Array.from({ length: 31 }, (_, i) => ({
      time: 1_000_000 + i * 100_000,
      bytes: Buffer.from('.'),
    }));
    expect(feed(state, dots)).toMatchObject([{ end: 30, time: 3_900_000 }]);
  });

  it('show where output is missing', async () => {
    const state = cutterAfter(START);
    const before = feed(state, [{ time: 1, bytes: Buffer.from('abc') }]);
    const lost = cutEvents(state, { type: 'lost', offset: 100, time: 2 });
    const after = feed(state, [{ time: 3, bytes: Buffer.from('d\n') }]);
    const raw = Buffer.alloc(102);
    raw.write('abc');
    raw.write('d\n', 100);
    const shown = await events([...before, ...lost, ...after], [{ time: 0, bytes: raw }]);
    expect(shown.map((event) => event.text)).toEqual([
      'abc',
      '\n[97 bytes of output are lost here]\n',
      'd\n',
    ]);
  });
});

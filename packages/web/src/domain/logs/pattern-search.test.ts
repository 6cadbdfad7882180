import { describe, expect, it } from 'vitest';
import { type LogLine, LogLineReader } from './line-reader.ts';
import { type PatternAnswer, patternMatches } from './pattern-matches.ts';
import { PatternSearch, type PatternWorker, patternProblem } from './pattern-search.ts';

const linesOf = (...texts: string[]): LogLine[] =>
  new LogLineReader().read(new TextEncoder().encode(texts.map((text) => `${text}\n`).join('')));

/** A worker that answers when the test wants it, and never comes back from texts that contain `slow`. */
function world(source: string, matchCase = false) {
  const asked: (() => void)[] = [];
  const timers = new Set<() => void>();
  let started = 0;
  let changes = 0;
  const search = new PatternSearch({
    source,
    matchCase,
    onChange: () => {
      changes += 1;
    },
    setTimer: (run) => {
      timers.add(run);
      return () => timers.delete(run);
    },
    startWorker: () => {
      started += 1;
      let pattern = /(?:)/g;
      let isOver = false;
      const worker: PatternWorker = {
        onAnswer: () => {},
        postMessage(chunk) {
          if (chunk.kind === 'start') {
            pattern = new RegExp(chunk.source, chunk.flags);
            return;
          }
          asked.push(() => {
            const answer = (data: PatternAnswer) => isOver || worker.onAnswer(data);
            const slow = chunk.texts.findIndex((text) => text.includes('slow'));
            if (slow < 0) {
              const triples = patternMatches(pattern, chunk, (place) =>
                answer({ kind: 'at', place }),
              );
              answer({ kind: 'matches', triples });
            } else if (chunk.reportsPlaces) {
              for (let place = 0; place <= slow; place += 1) answer({ kind: 'at', place });
            }
          });
        },
        terminate() {
          isOver = true;
        },
      };
      return worker;
    },
  });
  const work = () => {
    while (asked.length > 0) asked.shift()?.();
  };
  const timeOut = () => {
    const [run] = timers;
    timers.clear();
    run?.();
    work();
  };
  const places = () => search.hits.map(({ line, from, to }) => `${line}:${from}-${to}`);
  return { search, work, timeOut, places, started: () => started, changes: () => changes };
}

describe('a search by a regular expression', () => {
  it('finds all places, in the order of the lines, whichever end they arrive at', () => {
    const { search, work, places } = world('e(p|r)+');
    const line = (id: number, text: string) => ({ ...linesOf(text)[0]!, id });
    const log = [line(0, 'epoch'), line(1, 'ERROR'), line(2, 'ep')];
    search.update(log);
    work();
    expect(places()).toEqual(['0:0-2', '1:0-3', '2:0-2']);
    expect(search.state).toBe('done');
    const longer = [line(-1, 'err'), ...log.slice(0, 2), line(2, 'epp ep'), line(3, 'x')];
    search.update(longer);
    work();
    expect(places()).toEqual(['-1:0-3', '0:0-2', '1:0-3', '2:0-3', '2:4-6']);
  });

  it('distinguishes upper and lower case only if that is wanted, and sees no control sequences', () => {
    const { search, work, places } = world('^E', true);
    search.update(linesOf('epoch', '\x1b[31mERROR', 'x'));
    work();
    expect(places()).toEqual(['1:0-1']);
  });

  it('has no hits that are empty, and ends for expressions that match everywhere', () => {
    const { search, work, places } = world('x*');
    search.update(linesOf('axxa', 'b'));
    work();
    expect(places()).toEqual(['0:1-3']);
  });

  it('skips a line on which the expression takes too long, and finds the others', () => {
    const { search, work, timeOut, places, started } = world('e');
    search.update(linesOf('e1', 'slow', 'e2', 'x'));
    work();
    expect(places()).toEqual([]);
    // The chunk, and then the line in it.
    timeOut();
    timeOut();
    work();
    expect(places()).toEqual(['0:0-1', '2:0-1']);
    expect([search.skipped, search.state, started()]).toEqual([1, 'done', 3]);
  });

  it('gives up on an expression that takes too long again and again', () => {
    const { search, work, timeOut, changes } = world('e');
    search.update(linesOf('slow 1', 'slow 2', 'slow 3', 'slow 4', 'x'));
    work();
    for (let time = 0; time < 4; time += 1) timeOut();
    expect(search.state).toBe('too slow');
    expect(changes()).toBeGreaterThan(0);
    search.update(linesOf('more', 'x'));
    work();
    expect(search.state).toBe('too slow');
  });

  it('reports nothing after it was closed', () => {
    const { search, work, changes } = world('e');
    search.update(linesOf('e', 'x'));
    search.close();
    work();
    expect(changes()).toBe(0);
  });
});

it('names what is wrong with an expression', () => {
  expect(patternProblem('a(b')).toBe('Unterminated group');
  expect(patternProblem('[z-a]')).toMatch(/out of order/);
  expect(patternProblem('a(b)')).toBeNull();
});

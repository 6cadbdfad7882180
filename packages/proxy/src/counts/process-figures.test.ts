import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ProcessFigures } from './process-figures.ts';
import type { CountedService } from './proxy-figures.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dstack-figures-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

let files = 0;
const newPath = () => join(dir, `figures-${files++}`);

const counted = (runId: string, count: number): CountedService => ({
  ...{ runId, projectName: 'main', runName: runId, inFlight: 3, held: 2, ejected: 1 },
  raw: { answered: { '2xx': count }, slices: [], latencies: { seconds: count, counts: [count] } },
});

/** A process counts, and ends. */
function end(figures: ProcessFigures<object>, ...services: CountedService[]): void {
  const process = {};
  figures.put(process, services);
  figures.ended(process);
}

it('the totals of processes that have ended are added up, without what was under way', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 20 }), (counts) => {
      const figures = new ProcessFigures<object>(newPath());
      for (const count of counts) end(figures, counted('web', count), counted('other', 1));
      const total = counts.reduce((sum, count) => sum + count, 0);
      expect(figures.of('web')).toMatchObject({
        ...{ inFlight: 0, held: 0, ejected: 0 },
        raw: { answered: { '2xx': total }, latencies: { seconds: total } },
      });
      expect(figures.of('other')?.raw.answered).toEqual({ '2xx': counts.length });
      expect(figures.parts).toHaveLength(2);
    }),
  );
});

it('a service that has ended is forgotten', () => {
  const figures = new ProcessFigures<object>(newPath());
  end(figures, counted('web', 1));
  figures.put({}, [counted('web', 1)]);
  figures.forget('web');
  expect([figures.parts, figures.of('web')]).toEqual([[], null]);
});

it('the process that adds them up is killed, and has counted too', () => {
  const path = newPath();
  const before = new ProcessFigures<object>(path);
  before.storeOwn([counted('web', 1), counted('gone', 1)]);
  before.storeOwn([counted('web', 2), counted('gone', 1)]);
  end(before, counted('web', 3));
  before.forget('gone');
  expect(before.of('web')?.raw.answered).toEqual({ '2xx': 3 });
  const after = new ProcessFigures<object>(path);
  expect(after.of('web')).toMatchObject({ inFlight: 0, raw: { answered: { '2xx': 5 } } });
  expect(after.of('gone')).toBeNull();
  after.storeOwn([counted('web', 4)]);
  expect(new ProcessFigures<object>(path).of('web')?.raw.answered).toEqual({ '2xx': 9 });
});

it('the totals are those of before after a restart of the process that adds them up', () => {
  const path = newPath();
  const before = new ProcessFigures<object>(path);
  end(before, counted('web', 3), counted('gone', 1));
  before.forget('gone');
  const after = new ProcessFigures<object>(path);
  end(after, counted('web', 4));
  expect(after.parts).toMatchObject([{ runId: 'web', raw: { answered: { '2xx': 7 } } }]);
});

it('counts that an earlier program has stored are no reason to know nothing of replicas', () => {
  const path = newPath();
  writeFileSync(path, JSON.stringify([counted('web', 3)]));
  expect(new ProcessFigures(path).parts).toMatchObject([{ runId: 'web', replicas: [] }]);
});

it('totals that cannot be stored are reported once, and stored with the next ones', () => {
  const path = newPath();
  const reports: object[] = [];
  const figures = new ProcessFigures<object>(path, {
    warn: (what: object | string) => reports.push(Object(what)),
  });
  // In place of a full disk.
  mkdirSync(`${path}.new`);
  end(figures, counted('web', 4));
  end(figures, counted('web', 3));
  expect(reports).toMatchObject([{ path }]);
  rmSync(`${path}.new`, { recursive: true });
  end(figures, counted('web', 2));
  expect(new ProcessFigures<object>(path).of('web')?.raw.answered).toEqual({ '2xx': 9 });
  mkdirSync(`${path}.new`);
  end(figures, counted('web', 1));
  expect(reports).toHaveLength(2);
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CountedService } from '@dstack/proxy';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { EndedFigures } from './ended-figures.ts';

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

it('the totals of workers that have ended are added up, without what was under way', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 20 }), (counts) => {
      const ended = new EndedFigures(newPath());
      for (const count of counts) ended.add([counted('web', count), counted('other', 1)]);
      const total = counts.reduce((sum, count) => sum + count, 0);
      const [, other] = ended.all;
      expect(ended.all.find(({ runId }) => runId === 'web')).toMatchObject({
        ...{ inFlight: 0, held: 0, ejected: 0 },
        raw: { answered: { '2xx': total }, latencies: { seconds: total } },
      });
      expect(other?.raw.answered).toEqual({ '2xx': counts.length });
    }),
  );
});

it('a service that has ended is forgotten', () => {
  const ended = new EndedFigures(newPath());
  ended.add([counted('web', 1)]);
  ended.forget('web');
  expect(ended.all).toEqual([]);
});

it('the totals are those of before after a restart of the server', () => {
  const path = newPath();
  const before = new EndedFigures(path);
  before.add([counted('web', 3), counted('gone', 1)]);
  before.forget('gone');
  const after = new EndedFigures(path);
  after.add([counted('web', 4)]);
  expect(after.all).toMatchObject([{ runId: 'web', raw: { answered: { '2xx': 7 } } }]);
});

it('counts that an earlier server has stored are no reason to know nothing of replicas', () => {
  const path = newPath();
  writeFileSync(path, JSON.stringify([counted('web', 3)]));
  expect(new EndedFigures(path).all).toMatchObject([{ runId: 'web', replicas: [] }]);
});

import type { KeptBackRun, QueuedRun } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { keptBackRows, waitingRows } from './queue-rows.ts';

const AT = '2026-12-01T08:00:00Z';

const queued: QueuedRun = {
  ...{ place: 1, run_id: 'r1', run: 'train', replica: null, project: 'main', user: 'ann' },
  ...{ nodes: 2, priority: 5, submitted_at: AT, since: null, expected_start: null },
  ...{ is_about: false, is_reserved: false, why: 'fleet lab is full' },
  ...{ places: [], max_duration: null },
};
const hidden: QueuedRun = {
  ...{ ...queued, place: 2, run_id: null, run: 'a run of another project', project: null },
  ...{ user: null, nodes: null, priority: null, submitted_at: null, why: null },
};
const kept: KeptBackRun = {
  ...{ run_id: 'r2', run: 'evaluate', user: 'ann', priority: 0, submitted_at: AT },
  ...{ hold: null, waits_for: [], is_unmet: false },
};
const textOf = (more: Partial<KeptBackRun>) =>
  keptBackRows('main', {
    ...{ runs: [], total: 0, kept_back: [{ ...kept, ...more }], kept_back_total: 1 },
  })[0];

it('has a key of its own for each run, also for those without a name', () => {
  const rows = waitingRows({
    ...{ runs: [queued, hidden, { ...hidden, place: 3 }], total: 3 },
    ...{ kept_back: [], kept_back_total: 0 },
  });
  expect(new Set(rows.map(({ key }) => key)).size).toBe(3);
  expect(rows[0]).toMatchObject({ since: AT, name: 'train', id: 'r1' });
  expect(rows[1]).toMatchObject({ name: 'A run of another project', id: null });
});

it.each<[Partial<KeptBackRun>, string, boolean]>([
  [{ hold: { by: 'ann', since: AT } }, 'Held by ann', true],
  [{ waits_for: ['a', 'b'] }, 'Waits for a, b', false],
  [{ waits_for: ['a', 'b', 'c', 'd', 'e'] }, 'Waits for a, b, c and 2 more', false],
  [{ hold: { by: 'ann', since: AT }, waits_for: ['a'] }, 'Held by ann, waits for a', true],
  [{ is_unmet: true }, 'A run that it depends on has ended in another way', true],
])('has why a run is in no queue: %j', (more, text, isReleasable) => {
  expect(textOf(more)).toMatchObject({ why: text, isReleasable });
});

import { expect, it } from 'vitest';
import { WorkerDesk } from './worker-desk.ts';

it('stores what a worker could not keep, and has the runs examined of which requests wait', async () => {
  const stored: unknown[] = [];
  const services = { addRequests: async (...args: unknown[]) => void stored.push(args) };
  const desk = new WorkerDesk({ now: () => 0, store: { services } } as never);
  const { count } = desk.handlers(() => ({ id: 'w' }) as never);
  const busy = { runId: 'busy', second: 7, requests: 40 };
  const asleep = { runId: 'asleep', second: 7, requests: 1, wakes: true };
  await count?.({ counts: [busy, asleep] });
  expect(stored).toEqual([['w', [busy, asleep], { signals: [{ kind: 'run', id: 'asleep' }] }]]);
});

import type { NewEvent } from '@dstack/core';
import { expect, it } from 'vitest';
import { AvoidedReplicas } from './avoided-replicas.ts';

const inRow = { cause: 'errors_in_row', errors: 5 } as const;
const byRate = { cause: 'error_rate', rate: 0.625, others: 0.02 } as const;

const IN_ROW = {
  text: 'it has answered 5 requests in a row with errors, which other replicas do not',
  until: 1_005_000,
};

function world(stored: object[] = []) {
  const clock = { now: 1_000_000 };
  const events: NewEvent[] = [];
  const job = { id: 'job', name: 'web-0-0', runId: 'run' };
  const subject = new AvoidedReplicas({
    store: {
      runs: { byId: async (id: string) => (id === 'run' ? { jobs: [job] } : null) },
      events: {
        write: async (more: readonly NewEvent[]) => {
          for (const one of more) stored.unshift({ ...one, recordedAt: clock.now * 1000 });
          events.push(...more);
        },
        list: async () => stored,
      },
    } as never,
    now: () => clock.now,
    log: { warn() {} } as never,
  });
  const add = async (ms: number, why: typeof inRow | typeof byRate = inRow, jobId = 'job') => {
    subject.add({ runId: 'run', jobId, why, ms });
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, events, subject, add };
}

it('one event reports a replica that several processes avoid at the same time', async () => {
  const { events, add } = world();
  await add(5000);
  await add(5200);
  expect(events).toMatchObject([
    {
      action: 'job.replica_avoided',
      data: { seconds: 5, errors: 5, rate: null, others: null },
      targets: [{ type: 'job', id: 'job' }],
    },
  ]);
});

it('another event follows when it is avoided once more', async () => {
  const { clock, events, add } = world();
  await add(5000);
  clock.now += 5001;
  await add(10_000, byRate);
  expect(events.map(({ data }) => data)).toEqual([
    { seconds: 5, errors: 5, rate: null, others: null },
    { seconds: 10, errors: null, rate: 0.625, others: 0.02 },
  ]);
});

it('a gateway that reports no time at all causes no flood of events', async () => {
  const { clock, events, add } = world();
  for (let n = 0; n < 1000; n++) {
    clock.now += 10;
    await add(0);
  }
  expect(events).toHaveLength(2);
});

it('the reason and the time are known as long as it is avoided', async () => {
  const { clock, subject, add } = world();
  await add(5000);
  await add(4000);
  expect(await subject.among(['job', 'other'])).toEqual(new Map([['job', IN_ROW]]));
  clock.now += 5000;
  expect(await subject.among(['job'])).toEqual(new Map());
});

it('what was reported to another server, or before a restart, is known by its event', async () => {
  const stored: object[] = [];
  const first = world(stored);
  await first.add(5000, byRate);
  first.clock.now += 6000;
  await first.add(5000);
  const next = world(stored);
  next.clock.now = first.clock.now + 1000;
  expect(await next.subject.among(['job'])).toEqual(
    new Map([['job', { ...IN_ROW, until: 1_011_000 }]]),
  );
  next.clock.now += 4000;
  expect(await next.subject.among(['job'])).toEqual(new Map());
});

it('a replica that is not of the run has no event', async () => {
  const { events, add } = world();
  await add(5000, inRow, 'foreign');
  expect(events).toEqual([]);
});

import type { Client } from '@dstack/client';
import { QueryClient } from '@tanstack/react-query';
import { expect, it, vi } from 'vitest';
import { metricsHistoryQuery } from './metrics-history.ts';

const target = {
  ...{ project: 'main', runId: 'id' },
  jobs: [{ replica: 0, job: 3, submission: 's' }],
};

it('is in the form of the measurements of one job, and is asked for again after a step', async () => {
  vi.useFakeTimers({ now: 1_000_000_000_000, toFake: ['Date'] });
  const asked: unknown[] = [];
  const history = async (query: unknown) => {
    asked.push(query);
    return {
      step_seconds: 600,
      jobs: [
        {
          job_submission_id: 's',
          timestamps: ['2026-01-01T00:00:00Z', '2026-01-01T00:10:00Z'],
          metrics: [{ name: 'cpu_usage_percent', values: [1, 2] }],
        },
      ],
    };
  };
  const client = { project: () => ({ metrics: { history } }) } as unknown as Client;
  const cache = new QueryClient();
  const query = { ...metricsHistoryQuery(client, target, 60), staleTime: 0 };
  expect((await cache.fetchQuery(query)).metrics).toEqual({
    s: {
      metrics: [
        {
          name: 'cpu_usage_percent',
          timestamps: ['2026-01-01T00:10:00Z', '2026-01-01T00:00:00Z'],
          values: [2, 1],
        },
      ],
    },
  });
  vi.setSystemTime(Date.now() + 599_000);
  await cache.fetchQuery(query);
  expect(asked).toEqual([
    { run_id: 'id', jobs: [{ replica_num: 0, job_num: 3 }], after: '2001-09-09T00:46:40.000Z' },
  ]);
  vi.setSystemTime(Date.now() + 1000);
  await cache.fetchQuery(query);
  expect(asked).toHaveLength(2);
  vi.useRealTimers();
});

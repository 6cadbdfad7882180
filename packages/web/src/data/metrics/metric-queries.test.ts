import type { Client } from '@dstack/client';
import type { JobMetrics } from '@dstack/contract/wire';
import { QueryClient } from '@tanstack/react-query';
import { expect, it } from 'vitest';
import { jobMetricsQuery } from './metric-queries.ts';

const at = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const cpu = (timestamps: string[], values: number[]): JobMetrics => ({
  metrics: [{ name: 'cpu_usage_percent', timestamps, values }],
});
const target = { project: 'main', run: 'train', runId: 'id', replica: 0, job: 0, submission: 's' };

it('asks only for what is new when it is refreshed, and drops what is outside of its time', async () => {
  const [oldest, first, second, third] = [at(901), at(30), at(20), at(10)];
  const asked: (string | undefined)[] = [];
  const answers = [cpu([second, first, oldest], [3, 2, 1]), cpu([third], [4])];
  const job = async (_: string, { after }: { after?: string }) => {
    asked.push(after);
    return answers[asked.length - 1] ?? { metrics: [] };
  };
  const client = { project: () => ({ metrics: { job } }) } as unknown as Client;
  const cache = new QueryClient();
  const query = { ...jobMetricsQuery(client, target, 15), staleTime: 0 };
  await cache.fetchQuery(query);
  expect(await cache.fetchQuery(query)).toEqual(cpu([third, second, first], [4, 3, 2]));
  expect(await cache.fetchQuery(query)).toEqual(cpu([third, second, first], [4, 3, 2]));
  expect(asked.slice(1)).toEqual([second, third]);
});

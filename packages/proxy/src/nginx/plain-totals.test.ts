import { expect, it } from 'vitest';
import { forgetTotals, lastTotals } from './plain-totals.ts';

const service = {
  route: {
    ...{ runId: 'run', projectName: 'main', runName: 'web' },
    replicas: [{ jobId: 'job' }],
  },
} as never;

/** nginx, which answers the questions one after another by these lines. */
function answering(...answers: readonly (readonly string[])[]) {
  const asked: string[] = [];
  const left = [...answers];
  const control = async (path: string, body = '') => {
    asked.push([path, body].join(' '));
    return ['e\t1-1', ...(left.shift() ?? [])].join('\n');
  };
  return { control, asked };
}

const counted = (n: number) => [
  's\trun\t1500',
  `n\trun\t2:7:10\t${n}`,
  't\tjob\t1',
  `m\tjob\t2:3\t${n}`,
];
const busy = (pid: number) => `f\tjob\t${pid}\t1`;

it('has no lease while its totals are read, which contain requests that were under way', async () => {
  const { control, asked } = answering([...counted(3), busy(process.pid)], counted(4));
  const [found] = await lastTotals(control, [service], 10_000);
  expect(found).toMatchObject({ runId: 'run', runName: 'web', raw: { answered: { '2xx': 4 } } });
  expect(found?.byReplica?.job?.answered).toEqual({ '2xx': 4 });
  expect(asked).toEqual(Array(2).fill('/tick 0\nrun\t\tjob'));
});

it('waits no longer than it may, and for no process that has ended', async () => {
  const streams = answering([...counted(3), busy(process.pid)]);
  expect(await lastTotals(streams.control, [service], 0)).toHaveLength(1);
  const killed = answering([...counted(3), busy(2 ** 30)]);
  expect(await lastTotals(killed.control, [service], 10_000)).toHaveLength(1);
  expect(killed.asked).toHaveLength(1);
});

it('forgets totals that were kept', async () => {
  const { control, asked } = answering();
  await forgetTotals(control, [service]);
  expect(asked).toEqual(['/push c\trun\nc\tjob']);
});

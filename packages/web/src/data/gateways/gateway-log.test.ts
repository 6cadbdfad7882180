import type { GatewayReplicaLog } from '@dstack/contract/wire';
import { expect, it } from 'vitest';
import { MOST_LINES, NO_LOG, pollDelay, withAnswer } from './gateway-log.ts';

const at = (second: number) => new Date(Date.UTC(2026, 10, 28, 12, 0, second)).toISOString();

function part(replica: number, texts: readonly (readonly [second: number | null, text: string])[]) {
  const lines = texts.map(([second, text]) => ({
    ...{ time: second === null ? null : at(second), source: 'gateway' as const },
    ...{ level: 'info', text },
  }));
  const base = { replica_num: replica, answered: true, skipped: false };
  return { ...base, next: `${texts.length},0`, lines } satisfies GatewayReplicaLog;
}

const texts = (log: typeof NO_LOG) => log.lines.map(({ replica, text }) => `${replica} ${text}`);

it('puts lines of several replicas in the order of their times, and new ones behind them', () => {
  const first = withAnswer(NO_LOG, {
    replicas: [
      part(0, [
        [1, 'a'],
        [3, 'c'],
      ]),
      part(1, [[2, 'b']]),
    ],
  });
  const both = withAnswer(first, { replicas: [part(0, [[4, 'd']]), part(1, [])] });
  expect(texts(both)).toEqual(['0 a', '1 b', '0 c', '0 d']);
  expect(both.lines.map(({ id }) => id)).toEqual([0, 1, 2, 3]);
  expect(both.positions).toEqual({ 0: '1,0', 1: '0,0' });
});

it('keeps a limited number of lines, the newest ones', () => {
  const many = Array.from({ length: MOST_LINES }, (_, index) => [1, `old ${index}`] as const);
  const log = withAnswer(withAnswer(NO_LOG, { replicas: [part(0, many)] }), {
    replicas: [part(0, [[2, 'new']])],
  });
  expect(log.lines).toHaveLength(MOST_LINES);
  expect(texts(log)[0]).toBe('0 old 1');
  expect(texts(log).at(-1)).toBe('0 new');
});

it('reports which replicas have not answered, and keeps their positions', () => {
  const away = { ...part(1, []), answered: false, next: '7,9' };
  const log = withAnswer(NO_LOG, { replicas: [part(0, []), away] });
  expect(log).toMatchObject({ answered: [0], unanswered: [1], positions: { 1: '7,9' } });
});

it('reports where lines are missing', () => {
  const log = withAnswer(NO_LOG, {
    replicas: [
      {
        ...part(0, [
          [1, 'a'],
          [2, 'b'],
        ]),
        skipped: true,
      },
    ],
  });
  expect(log.lines.map(({ isGap }) => isGap)).toEqual([true, false, false]);
});

it('asks later and later while nothing comes, and soon after a line', () => {
  const delays: number[] = [];
  let log = withAnswer(NO_LOG, { replicas: [part(0, [[1, 'a']])] });
  for (let count = 0; count < 6; count += 1) {
    delays.push(pollDelay(log, false));
    log = withAnswer(log, { replicas: [part(0, [])] });
  }
  expect(delays).toEqual([2000, 4000, 8000, 16_000, 30_000, 30_000]);
  expect(pollDelay(withAnswer(log, { replicas: [part(0, [[9, 'b']])] }), false)).toBe(2000);
});

it('asks late after an error', () => {
  expect(pollDelay(undefined, true)).toBe(30_000);
});

import { type Client, ForbiddenError } from '@dstack/client';
import { focusManager, QueryClient, QueryObserver } from '@tanstack/react-query';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { gatewayLogQuery } from './gateway-log-query.ts';

const GATEWAY = { project: 'main', name: 'edge', replica: null };
const ends: (() => void)[] = [];

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  for (const end of ends.splice(0)) end();
  focusManager.setFocused(undefined);
  vi.useRealTimers();
});

/** A page that shows the log. */
function watch(answer: (asked: number) => unknown = () => ({ replicas: [] })) {
  const asked: unknown[] = [];
  const logs = async (_name: string, query: unknown) => {
    asked.push(query);
    return answer(asked.length);
  };
  const client = { project: () => ({ gateways: { logs } }) } as unknown as Client;
  const cache = new QueryClient();
  cache.mount();
  const optionsFor = (follow: boolean) => gatewayLogQuery(client, GATEWAY, follow);
  const observer = new QueryObserver(cache, optionsFor(true));
  const leave = observer.subscribe(() => {});
  ends.push(() => {
    leave();
    cache.unmount();
    cache.clear();
  });
  const follow = (on: boolean) => observer.setOptions(optionsFor(on));
  return { asked, follow, observer };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

it('asks for the last lines first, then for those since each answer', async () => {
  const line = { time: null, source: 'nginx', level: 'warn', text: 'slow' };
  const { asked } = watch((count) => ({
    replicas: [
      { replica_num: 0, answered: true, next: `${count},0`, skipped: false, lines: [line] },
    ],
  }));
  await pass(4100);
  expect(asked).toEqual([
    { replica: null, lines: 100, after: null },
    { replica: null, lines: 500, after: { 0: '1,0' } },
    { replica: null, lines: 500, after: { 0: '2,0' } },
  ]);
});

it('does not ask while the page is hidden, and asks at once when it is shown again', async () => {
  const { asked } = watch();
  await pass(100);
  focusManager.setFocused(false);
  await pass(300_000);
  expect(asked).toHaveLength(1);
  focusManager.setFocused(true);
  await pass(1);
  expect(asked).toHaveLength(2);
});

it('asks once only without following, and goes on at once when it follows again', async () => {
  const { asked, follow } = watch();
  await pass(100);
  follow(false);
  await pass(300_000);
  expect(asked).toHaveLength(1);
  follow(true);
  await pass(1);
  expect(asked).toHaveLength(2);
});

it('asks no more after a refusal', async () => {
  const { asked, observer } = watch(() => {
    throw new ForbiddenError('Access denied', { status: 403 } as never);
  });
  await pass(300_000);
  expect(asked).toHaveLength(1);
  expect(observer.getCurrentResult().error).toBeInstanceOf(ForbiddenError);
});

it('goes on after an error, with the lines that it has', async () => {
  const line = { time: null, source: 'nginx', level: 'warn', text: 'slow' };
  const { observer } = watch((count) => {
    if (count === 2) throw new Error('The server is busy');
    return {
      replicas: [{ replica_num: 0, answered: true, next: '1,0', skipped: false, lines: [line] }],
    };
  });
  await pass(2100);
  expect(observer.getCurrentResult()).toMatchObject({ error: { message: 'The server is busy' } });
  expect(observer.getCurrentResult().data?.lines).toHaveLength(1);
  await pass(30_000);
  expect(observer.getCurrentResult().error).toBeNull();
  expect(observer.getCurrentResult().data?.lines).toHaveLength(2);
});

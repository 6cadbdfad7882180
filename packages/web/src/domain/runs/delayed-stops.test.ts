import { expect, it } from 'vitest';
import { type DelayedStop, DelayedStops, UNDO_MS } from './delayed-stops.ts';

const run = (name: string) => ({ id: `${name}-id`, project: 'main', name });

function world(send: (runs: DelayedStop['runs']) => Promise<void> = async () => {}) {
  const timers = new Map<() => void, number>();
  const sent: string[] = [];
  const failed: string[] = [];
  const stops = new DelayedStops({
    send: async (runs) => {
      sent.push(...runs.map(({ name }) => name));
      await send(runs);
    },
    onFailure: (runs, error) => failed.push(`${runs[0]?.name}: ${(error as Error).message}`),
    now: () => 1000,
    after: (ms, call) => {
      timers.set(call, ms);
      return () => timers.delete(call);
    },
  });
  const pass = () => {
    for (const call of [...timers.keys()]) call();
  };
  return { stops, timers, sent, failed, pass };
}

it('sends a stop after the time in which it can be undone, once', async () => {
  const { stops, timers, sent, pass } = world();
  const stop = stops.add([run('a')]);
  expect([...timers.values()]).toEqual([UNDO_MS]);
  expect([stop.at, stops.all(), sent]).toEqual([1000 + UNDO_MS, [stop], []]);
  pass();
  expect([stops.all(), sent, stops.undo(stop)]).toEqual([[], ['a'], false]);
  await stops.flush();
  expect(sent).toEqual(['a']);
});

it('does not send what is undone', async () => {
  const { stops, sent, pass } = world();
  const stop = stops.add([run('a')]);
  stops.add([run('b')]);
  expect(stops.undo(stop)).toBe(true);
  pass();
  await stops.flush();
  expect(sent).toEqual(['b']);
});

it('sends all at once when the page is left', async () => {
  const { stops, timers, sent } = world();
  stops.add([run('a')]);
  stops.add([run('b')]);
  await stops.flush();
  expect([sent, timers.size, stops.all()]).toEqual([['a', 'b'], 0, []]);
});

it('reports a stop that the server refuses', async () => {
  const { stops, failed } = world(() => Promise.reject(new Error('Access denied')));
  stops.add([run('a')]);
  await stops.flush();
  expect(failed).toEqual(['a: Access denied']);
});

import { expect, it } from 'vitest';
import { type HubMessage, LiveHub } from './live-hub.ts';
import type { LiveListener } from './live-state.ts';

function world() {
  let starts = 0;
  let stops = 0;
  let listener: LiveListener | null = null;
  const hub = new LiveHub(() => ({
    start(given) {
      starts += 1;
      listener = given;
      return () => {
        stops += 1;
      };
    },
    retry: () => {},
  }));
  const tab = () => {
    const received: HubMessage[] = [];
    return { received, postMessage: (message: HubMessage) => received.push(message) };
  };
  return {
    hub,
    tab,
    feed: () => listener!,
    counts: () => ({ starts, stops }),
  };
}

it('has one stream for all tabs, until the last one leaves', () => {
  const w = world();
  const [a, b] = [w.tab(), w.tab()];
  w.hub.add(a);
  w.hub.add(b);
  w.feed().onChange({ type: 'run', id: 'x', project: 'main', version: 1 });
  expect([a, b].map(({ received }) => received.at(-1)?.on)).toEqual(['change', 'change']);
  w.hub.remove(a);
  expect(w.counts()).toEqual({ starts: 1, stops: 0 });
  w.hub.remove(b);
  expect(w.counts()).toEqual({ starts: 1, stops: 1 });
  w.hub.add(a);
  expect(w.counts().starts).toBe(2);
});

it('reports the present state to a tab that joins, and has it read everything again', () => {
  const w = world();
  w.hub.add(w.tab());
  w.feed().onState({ kind: 'live', since: 5 });
  const late = w.tab();
  w.hub.add(late);
  expect(late.received).toEqual([
    { on: 'state', state: { kind: 'live', since: 5 } },
    { on: 'gap' },
  ]);
});

import { expect, it } from 'vitest';
import type { HubMessage, TabMessage } from './live-hub.ts';
import type { LiveState } from './live-state.ts';
import { type LiveWorker, sharedFeed } from './shared-feed.ts';

function world() {
  const sent: TabMessage['kind'][] = [];
  const states: LiveState['kind'][] = [];
  let beat = () => {};
  let ownStarts = 0;
  let ownRetries = 0;
  const worker: LiveWorker = {
    port: { onmessage: null, postMessage: ({ kind }) => sent.push(kind) },
    onerror: null,
  };
  const feed = sharedFeed({
    url: 'http://x',
    sessionKey: () => 'key',
    onRefused: () => {},
    worker,
    every: (_ms, run) => {
      beat = run;
      return () => {
        beat = () => {};
      };
    },
    own: {
      start: () => {
        ownStarts += 1;
        return () => {};
      },
      retry: () => {
        ownRetries += 1;
      },
    },
  });
  const stop = feed.start({
    onState: ({ kind }) => states.push(kind),
    onChange: () => {},
    onGap: () => {},
  });
  const say = (data: HubMessage) => worker.port.onmessage?.({ data } as MessageEvent<HubMessage>);
  const beats = (count: number) => {
    for (let i = 0; i < count; i += 1) beat();
  };
  return {
    ...{ feed, worker, sent, states, stop, say, beats },
    own: () => [ownStarts, ownRetries],
  };
}

it('goes on with a stream of its own once the worker gives no sign of life', () => {
  const w = world();
  w.say({ on: 'state', state: { kind: 'live', since: 0 } });
  w.beats(3);
  w.say({ on: 'beat' });
  w.beats(4);
  expect(w.own()).toEqual([0, 0]);
  w.beats(1);
  expect(w.own()).toEqual([1, 0]);
  w.beats(10);
  w.feed.retry();
  expect(w.own()).toEqual([1, 1]);
  expect(w.sent).toEqual(['start', 'stop']);
});

it('goes on with a stream of its own if the worker does not start', () => {
  const w = world();
  w.worker.onerror?.(new ErrorEvent('error'));
  expect(w.own()).toEqual([1, 0]);
});

it('passes what the worker reports on', () => {
  const w = world();
  w.say({ on: 'state', state: { kind: 'live', since: 0 } });
  w.stop();
  expect(w.states).toEqual(['live']);
  expect(w.sent).toEqual(['start', 'stop']);
});

import type { IncomingMessage } from 'node:http';
import type { Dispatcher } from 'undici';
import { expect, it, vi } from 'vitest';
import { RequestStats } from '../policy/service-stats.ts';
import type { ServiceRoute } from '../routes/service-route.ts';
import { RequestMirror } from './mirror.ts';

const KIB = Buffer.alloc(1024);
const source = {
  ...{ runId: 'source', projectName: 'main', runName: 'web' },
  mirror: { service: 'next', percent: 100, methods: ['GET', 'POST'] },
} as unknown as ServiceRoute;
const target = { ...source, runId: 'target', runName: 'next', mirror: null, replicas: [] };

/** A mirror whose copies are answered when `answer` is called. */
function mirror() {
  const sent: (Buffer | null)[] = [];
  const answers: (() => void)[] = [];
  let demand = 0;
  let isThere = true;
  const stats = new RequestStats(() => 0);
  const dispatch = (
    { body }: { body: Buffer | null },
    handler: Required<Dispatcher.DispatchHandler>,
  ) => {
    sent.push(body);
    const controller = { abort() {}, resume() {}, pause() {} } as never;
    handler.onRequestStart(controller, {});
    answers.push(() => {
      handler.onResponseStart(controller, 200, {}, '');
      handler.onResponseEnd(controller, {});
    });
    return true;
  };
  const replica = { pool: { dispatch } };
  let finds = 0;
  let now = 0;
  const made = new RequestMirror({
    routes: {
      find: async () => {
        finds += 1;
        return isThere ? target : null;
      },
    },
    replicas: {
      acquire: () => replica as never,
      ...{ answered: () => {}, refused: () => {}, release: () => {} },
    },
    ...{ stats, now: () => now },
    onDemand: () => {
      demand += 1;
      return () => {
        demand -= 1;
      };
    },
  });
  const copy = (method = 'GET', headers = {}) => {
    const message = { method, headers } as unknown as IncomingMessage;
    return made.copyOf(source, { request: message, path: '/', headers: [] });
  };
  return {
    ...{ copy, sent, answers },
    counts: () => stats.of('source').answered,
    demand: () => demand,
    finds: () => finds,
    advance: (ms: number) => {
      now += ms;
    },
    setThere: (is: boolean) => {
      isThere = is;
    },
  };
}

it('copies beyond a number at once are dropped', async () => {
  const { copy, sent, answers, counts, demand } = mirror();
  for (let n = 0; n < 130; n++) copy()?.send();
  await vi.waitFor(() => expect(sent).toHaveLength(100));
  expect([counts(), demand()]).toEqual([{ dropped: 30 }, 100]);
  for (const answer of answers) answer();
  await vi.waitFor(() => expect(counts()).toEqual({ dropped: 30, '2xx': 100 }));
  expect(demand()).toBe(0);
  copy()?.send();
  await vi.waitFor(() => expect(sent).toHaveLength(101));
});

it('bodies that are too large, together or alone, and those that do not end are dropped', async () => {
  const { copy, sent, counts } = mirror();
  const full = () => {
    const one = copy('POST');
    one?.begin();
    for (let n = 0; n < 1024; n++) one?.add(KIB);
    return one;
  };
  const large = full();
  large?.add(KIB);
  large?.send();
  expect(counts()).toEqual({ dropped: 1 });
  const held = Array.from({ length: 64 }, full);
  const beyond = full();
  beyond?.send();
  expect(counts()).toEqual({ dropped: 2 });
  for (const one of held) one?.abandon();
  expect(counts()).toEqual({ dropped: 66 });
  const fits = full();
  // The connection to the replica was refused before the body was read.
  fits?.begin();
  fits?.add(KIB);
  fits?.send();
  fits?.abandon();
  await vi.waitFor(() => expect(sent.map((body) => body?.length)).toEqual([1024]));
});

it('a service that does not exist is not looked for by every request', async () => {
  const { copy, sent, counts, finds, advance, setThere } = mirror();
  setThere(false);
  copy()?.send();
  await vi.waitFor(() => expect(counts()).toEqual({ dropped: 1 }));
  for (let n = 0; n < 50; n++) expect(copy()).toBeNull();
  setThere(true);
  advance(1001);
  copy()?.send();
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  expect([finds(), counts()]).toEqual([2, { dropped: 51 }]);
});

it('methods that are not named, and copies themselves, are not copied', () => {
  const { copy } = mirror();
  expect(copy('PUT')).toBeNull();
  expect(copy('GET', { 'x-dstack-mirror': 'any' })).toBeNull();
  expect(copy('POST')).not.toBeNull();
});

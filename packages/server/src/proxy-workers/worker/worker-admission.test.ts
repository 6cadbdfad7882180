import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ProxyRefusal } from '@dstack/proxy';
import { expect, it } from 'vitest';
import { away, linked } from '../testing/linked.ts';
import { MAX_AGE_MS, WorkerAdmission } from './worker-admission.ts';

const CALLER = { name: 'eve', userId: 'u', projectId: 'p', projectName: 'main', expiresAt: null };

function world() {
  const asked: string[] = [];
  let refusal: Error | null = null;
  let now = 0;
  const { link, connect } = linked({
    admit: ({ authorization }) => {
      asked.push(authorization);
      if (refusal) throw refusal;
      return CALLER;
    },
    release: () => {},
  });
  const admission = new WorkerAdmission({ link, addressOf: () => '10.0.0.1', now: () => now });
  const ends: string[] = [];
  const admit = (authorization: string) =>
    admission.admit('main', { method: 'GET', headers: { authorization } } as never, () =>
      ends.push(authorization),
    );
  return {
    ...{ link, connect, admission, admit, asked, ends },
    refuse: () => {
      refusal = new ProxyRefusal(403, 'no');
    },
    pass: (ms: number) => {
      now += ms;
    },
  };
}

it('asks the server once for a caller, also for requests at the same time', async () => {
  const { connect, admit, asked } = world();
  connect();
  const [one, other] = await Promise.all([admit('a'), admit('a')]);
  expect([one?.name, other?.name, (await admit('a')).name]).toEqual(['eve', 'eve', 'eve']);
  expect(asked).toEqual(['a']);
});

it('keeps nothing of what strangers send, however long that is', async () => {
  const { connect, admit, asked, refuse } = world();
  connect();
  refuse();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 1000; n++) {
    await expect(admit(`Bearer ${n} ${randomBytes(30_000).toString('hex')}`)).rejects.toThrow();
  }
  asked.length = 0;
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(20_000_000);
});

it('admits known callers for ten minutes without a server, and no others', async () => {
  const { link, connect, admit, pass } = world();
  const server = connect();
  await admit('a');
  await away(link, server);
  pass(MAX_AGE_MS - 1);
  expect((await admit('a')).name).toBe('eve');
  await expect(admit('b')).rejects.toMatchObject({ status: 503, code: 'server_away' });
  pass(1);
  await expect(admit('a')).rejects.toMatchObject({ status: 503, retryAfter: 1 });
});

it('cuts off open requests of a caller whom the next server does not admit', async () => {
  const { link, connect, admit, refuse, ends } = world();
  const server = connect();
  await admit('a');
  (await admit('b')).release();
  await away(link, server);
  refuse();
  connect();
  while (ends.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(ends).toEqual(['a']);
  await expect(admit('b')).rejects.toMatchObject({ status: 403 });
});

it('asks again about a caller whose access has changed', async () => {
  const { connect, admission, admit, asked, refuse, ends } = world();
  connect();
  await admit('a');
  refuse();
  for (const { key } of admission.asks) admission.stale(key);
  await expect(admit('a')).rejects.toMatchObject({ status: 403 });
  expect([asked, ends]).toEqual([['a', 'a'], ['a']]);
});

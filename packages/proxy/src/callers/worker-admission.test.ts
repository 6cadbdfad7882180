import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { ProxyRefusal } from '../refusals/refusal.ts';
import { away, linked } from '../testing/index.ts';
import type { GrantedCaller, KeptGrant } from './grants.ts';
import { WorkerAdmission } from './worker-admission.ts';

const immediate = () => new Promise((resolve) => setImmediate(resolve));
const MAX_AGE_MS = 600_000;
const CALLER = {
  ...{ name: 'eve', userId: 'u', projectId: 'p', projectName: 'main', expiresAt: null },
  ...{ token: null, services: null },
};

function world(caller: Partial<GrantedCaller> = {}) {
  const asked: string[] = [];
  let refusal: Error | null = null;
  let now = 1_000_000;
  let maxAge = MAX_AGE_MS;
  let onAsked = () => {};
  let slowness = 0;
  const { link, connect } = linked({
    admit: async ({ authorization }) => {
      asked.push(authorization);
      for (let left = slowness; left > 0; left--) await immediate();
      if (refusal) throw refusal;
      onAsked();
      return { ...CALLER, ...caller };
    },
    release: () => {},
  });
  const admission = new WorkerAdmission({
    ...{ link, addressOf: () => '10.0.0.1', maxAgeMs: () => maxAge, now: () => now },
  });
  const ends: string[] = [];
  const admit = (authorization: string) =>
    admission.admit('main', { method: 'GET', headers: { authorization } } as never, () =>
      ends.push(authorization),
    );
  /** The grants that the process which leads this worker keeps. */
  const kept = (): KeptGrant[] =>
    admission.asks.map(({ key }) => ({ key, caller: { ...CALLER, ...caller }, confirmedAt: now }));
  return {
    ...{ link, connect, admission, admit, asked, ends, kept },
    /** The server answers after so many rounds of the event loop. */
    slow: (rounds: number) => {
      slowness = rounds;
    },
    keepFor: (ms: number) => {
      maxAge = ms;
    },
    refuse: (error: Error = new ProxyRefusal(403, 'no')) => {
      refusal = error;
    },
    whenAsked: (call: () => void) => {
      onAsked = call;
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
  while (ends.length === 0) await immediate();
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

it('cuts off no caller because the server cannot answer', async () => {
  const { connect, admission, admit, refuse, ends, pass } = world();
  connect();
  await admit('a');
  for (const error of [new Error('no database'), new ProxyRefusal(429, 'too many sign-ins')]) {
    refuse(error);
    for (const { key } of admission.asks) admission.stale(key);
    expect((await admit('a')).name).toBe('eve');
    await expect(admit('b')).rejects.toThrow();
  }
  expect(ends).toEqual([]);
  pass(MAX_AGE_MS);
  await expect(admit('a')).rejects.toThrow();
});

it('asks again where the access has changed while the answer was on its way', async () => {
  const { connect, admission, admit, asked, refuse, whenAsked } = world();
  connect();
  await admit('a');
  const [known] = admission.asks;
  admission.stale(known?.key ?? '');
  whenAsked(() => {
    admission.revoke(known?.key ?? '');
    refuse();
  });
  await expect(admit('a')).rejects.toMatchObject({ status: 403 });
  expect(asked).toEqual(['a', 'a', 'a']);
});

it('lets an answer that changes have overtaken again and again count for one request only', async () => {
  const { connect, admission, admit, asked, refuse, whenAsked } = world();
  connect();
  await admit('a');
  const key = admission.asks[0]?.key ?? '';
  admission.stale(key);
  whenAsked(() => admission.stale(key));
  expect((await admit('a')).name).toBe('eve');
  whenAsked(() => {});
  refuse();
  await expect(admit('a')).rejects.toMatchObject({ status: 403 });
  expect(asked).toHaveLength(6);
});

it('asks about all known callers when the access of any user may have changed', async () => {
  const { connect, admission, admit, asked, refuse, ends } = world();
  connect();
  await admit('open');
  (await admit('idle')).release();
  refuse();
  admission.changed();
  while (admission.asks.length > 0) await immediate();
  expect([asked, ends]).toEqual([['open', 'idle', 'open', 'idle'], ['open']]);
});

it('asks about callers again for a burst of changes as for one, and about open requests first', async () => {
  const { connect, admission, admit, asked, ends, refuse, slow } = world();
  connect();
  for (let n = 0; n < 1000; n++) (await admit(`idle-${n}`)).release();
  await admit('open');
  asked.length = 0;
  slow(5);
  for (let change = 0; change < 50; change++) {
    admission.changed();
    await immediate();
  }
  refuse();
  admission.changed();
  while (admission.asks.length > 0) await immediate();
  expect(ends).toEqual(['open']);
  // Each change begins with the open request, and what is asked in its time is asked once.
  expect(asked.length).toBeLessThan(2 * 1001);
});

it('knows whom another process has admitted only while the server is away, and only for a time', async () => {
  const first = world();
  first.connect();
  await first.admit('a');
  const { link, connect, admission, admit, asked, pass } = world();
  admission.restore(first.kept());
  expect((await admit('a')).name).toBe('eve');
  const server = connect();
  await admit('a');
  expect(asked).toEqual(['a']);
  await away(link, server);
  pass(MAX_AGE_MS);
  await expect(admit('a')).rejects.toMatchObject({ status: 503 });
});

it('does not keep callers longer because their confirmation is from the future', async () => {
  const { admission, admit, pass } = world();
  const grant = { caller: CALLER, confirmedAt: 10 ** 15 };
  const first = world();
  first.connect();
  await first.admit('a');
  admission.restore(first.kept().map((kept) => ({ ...kept, ...grant })));
  pass(MAX_AGE_MS);
  await expect(admit('a')).rejects.toMatchObject({ status: 503 });
});

it('admits no caller after the end of their token, whether the server is there or not', async () => {
  const first = world();
  first.connect();
  await first.admit('a');
  const { admission, admit, pass } = world();
  const ending = { ...CALLER, expiresAt: 1_000_500_000 };
  admission.restore(first.kept().map((kept) => ({ ...kept, caller: ending })));
  expect((await admit('a')).name).toBe('eve');
  pass(500);
  await expect(admit('a')).rejects.toMatchObject({ status: 503 });
});

it('remembers callers without requests for as long as they are admitted without a server', async () => {
  const { link, connect, admit, pass, keepFor } = world();
  keepFor(3_600_000);
  const server = connect();
  (await admit('a')).release();
  pass(1_200_000);
  // Others come meanwhile.
  (await admit('b')).release();
  await away(link, server);
  expect((await admit('a')).name).toBe('eve');
});

it('cuts off open requests when their token has ended, and the server confirms that', async () => {
  const { connect, admission, admit, asked, ends, refuse, pass } = world({
    expiresAt: 1_060_000_000,
  });
  connect();
  await admit('open');
  admission.askAboutOpen();
  expect(asked).toEqual(['open']);
  pass(60_000);
  refuse();
  admission.askAboutOpen();
  while (ends.length === 0) await immediate();
  expect(ends).toEqual(['open']);
});

it('cuts off open requests after a change for which the server could not answer at first', async () => {
  const { connect, admission, admit, asked, ends, refuse, pass } = world();
  connect();
  await admit('open');
  (await admit('idle')).release();
  refuse(new Error('no database'));
  admission.changed();
  while (asked.length < 4) await immediate();
  await immediate();
  expect(ends).toEqual([]);
  pass(10_000);
  refuse();
  admission.askAboutOpen();
  while (ends.length === 0) await immediate();
  expect([ends, asked]).toEqual([['open'], ['open', 'idle', 'open', 'idle', 'open']]);
});

import type { AdmissionAsk, KeptGrant } from '@dstack/proxy';
import { expect, it } from 'vitest';
import { AdmittedCallers } from './admitted-callers.ts';

const ask = (key: string): AdmissionAsk => ({
  ...{ key, kind: 'service', project: 'main', method: 'GET', authorization: key },
  ...{ session: null, address: '::1' },
});

function world(stored: readonly object[] = []) {
  const sent: [string, unknown][] = [];
  let kept: readonly KeptGrant[] = [];
  let refusals = 0;
  const server = { user: 'eve' as string | null, whenAsked: async () => {} };
  const callers = new AdmittedCallers({
    questions: {
      ask: async () => {
        const { user } = server;
        await server.whenAsked();
        return { user, services: null, status: 403, detail: 'no' } as never;
      },
    },
    state: {
      read: () => stored as never,
      write: (_name, value) => {
        kept = value as never;
      },
    },
    notify: (type, data) => sent.push([type, data]),
    onRefused: () => {
      refusals += 1;
    },
  });
  const keys = () => kept.map(({ key }) => key);
  return { callers, server, sent, keys, refusals: () => refusals };
}

it('whom the server admits to one worker is known to all of them, and after a restart', async () => {
  const { callers, sent, keys } = world();
  expect(await callers.admit(ask('a'))).toMatchObject({ name: 'eve', projectId: 'main' });
  expect(sent).toMatchObject([['granted', { ask: { key: 'a' }, caller: { name: 'eve' } }]]);
  expect(keys()).toEqual(['a']);
  expect(world(callers.all).callers.all).toEqual(callers.all);
  expect(world([{ key: 'a', of: 'an earlier version' }]).callers.all).toEqual([]);
});

it('an answer that a change of access has overtaken counts for its request alone', async () => {
  const { callers, server, sent, keys } = world();
  server.whenAsked = async () => callers.changed();
  await callers.admit(ask('a'));
  expect([sent, keys()]).toEqual([[], []]);
});

it('whom the server does not admit any more is not admitted by any worker', async () => {
  const { callers, server, sent, refusals } = world();
  await callers.admit(ask('a'));
  server.user = null;
  await expect(callers.admit(ask('stranger'))).rejects.toThrow('no');
  expect(refusals()).toBe(0);
  await expect(callers.admit(ask('a'))).rejects.toThrow('no');
  expect([sent.at(-1), refusals(), callers.all]).toEqual([['revoked', { key: 'a' }], 1, []]);
});

it('a server that is away refuses no caller', async () => {
  const { callers, server, sent } = world();
  await callers.admit(ask('a'));
  server.whenAsked = async () => {
    throw new Error('away');
  };
  await expect(callers.admit(ask('a'))).rejects.toThrow('away');
  expect([sent.length, callers.all.length]).toEqual([1, 1]);
});

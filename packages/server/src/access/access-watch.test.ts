import { accessDenied } from '@dstack/contract/api';
import type { AccessSubject } from '@dstack/store';
import { pino } from 'pino';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { AccessWatch, type AdmittedCaller } from './access-watch.ts';

const denied = () => accessDenied('no');
const alice: AdmittedCaller = { userId: 'alice', projectId: 'main', expiresAt: null };

let change: (subject: AccessSubject | null) => void;
let waits: number[];
let watch: AccessWatch;
/** The result of identifying the caller; `looks` counts the calls. */
let look: () => Promise<AdmittedCaller>;
let looks: number;
let ended: string[];

beforeEach(() => {
  [looks, waits, ended] = [0, [], []];
  look = async () => alice;
  watch = new AccessWatch({
    access: {
      onChanged: (listener) => {
        change = listener;
        return () => {};
      },
    },
    shared: false,
    now: () => Date.now() * 1000,
    log: pino({ level: 'silent' }),
    wait: async (ms) => waits.push(ms),
  });
});

const admit = (name = 'stream') =>
  watch.admit(
    () => {
      looks += 1;
      return look();
    },
    () => ended.push(name),
  );

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('an admitted caller', () => {
  it.each([
    [{ kind: 'user', id: 'alice' }, ['stream']],
    [{ kind: 'project', id: 'main' }, ['stream']],
    [null, ['stream']],
    [{ kind: 'user', id: 'bob' }, []],
    [{ kind: 'project', id: 'other' }, []],
  ] as const)('is checked again after a change of %j: %j ends', async (subject, ends) => {
    await admit();
    look = () => Promise.reject(denied());
    change(subject);
    await settled();
    expect(ended).toEqual(ends);
    change(subject);
    await settled();
    expect(ended).toEqual(ends);
  });

  it('stays while access is granted, and is no longer watched after the release', async () => {
    const { release } = await admit();
    change({ kind: 'user', id: 'alice' });
    await settled();
    expect([looks, ended]).toEqual([2, []]);
    release();
    look = () => Promise.reject(denied());
    change(null);
    await settled();
    expect([looks, ended]).toEqual([2, []]);
  });

  it('is revoked if the token belongs to another user now, or the project is a new one', async () => {
    await admit('user');
    look = async () => ({ ...alice, userId: 'bob' });
    change(null);
    await settled();
    look = async () => alice;
    await admit('project');
    look = async () => ({ ...alice, projectId: 'new main' });
    change(null);
    await settled();
    expect(ended).toEqual(['user', 'project']);
  });

  it('is not confirmed by a check that began before the change', async () => {
    const first = Promise.withResolvers<AdmittedCaller>();
    look = () => first.promise;
    const admitted = admit();
    change({ kind: 'user', id: 'alice' });
    look = () => Promise.reject(denied());
    first.resolve(alice);
    await admitted;
    await settled();
    expect(ended).toEqual(['stream']);
  });

  it('is checked once more if something changes during a check', async () => {
    await admit();
    const slow = Promise.withResolvers<AdmittedCaller>();
    look = () => slow.promise;
    change(null);
    change(null);
    look = () => Promise.reject(denied());
    slow.resolve(alice);
    await settled();
    expect([looks, ended]).toEqual([3, ['stream']]);
  });

  it('stays while the database is down for a moment, and is revoked if it stays down', async () => {
    await admit();
    const answers = [Promise.reject(new Error('away')), Promise.resolve(alice)];
    look = () => answers.shift() ?? Promise.resolve(alice);
    change(null);
    await settled();
    expect([waits.length, ended]).toEqual([1, []]);
    look = () => Promise.reject(new Error('away'));
    change(null);
    await settled();
    expect([waits.length, ended]).toEqual([5, ['stream']]);
  });

  it('is checked when the token expires', async () => {
    vi.useFakeTimers();
    try {
      look = async () => ({ ...alice, expiresAt: (Date.now() + 60_000) * 1000 });
      await admit();
      look = () => Promise.reject(denied());
      await vi.advanceTimersByTimeAsync(59_999);
      expect(ended).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect(ended).toEqual(['stream']);
    } finally {
      vi.useRealTimers();
    }
  });

  it('ends soon after the time has stepped over the expiry of the token', async () => {
    vi.useFakeTimers();
    try {
      look = async () => ({ ...alice, expiresAt: (Date.now() + 3_600_000) * 1000 });
      await admit();
      look = () => Promise.reject(denied());
      vi.setSystemTime(Date.now() + 7_200_000);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(ended).toEqual(['stream']);
    } finally {
      vi.useRealTimers();
    }
  });

  it('is informed at once when access may have changed', async () => {
    const received: string[] = [];
    const onChange = () => received.push('changed');
    const { release } = await watch.admit(
      async () => alice,
      () => ended.push('stream'),
      onChange,
    );
    change({ kind: 'project', id: 'main' });
    expect(received).toEqual(['changed']);
    release();
  });
});

it('is not created for a caller without access', async () => {
  look = () => Promise.reject(denied());
  await expect(admit()).rejects.toMatchObject({ msg: 'no' });
  change(null);
  await settled();
  expect([looks, ended]).toEqual([1, []]);
});

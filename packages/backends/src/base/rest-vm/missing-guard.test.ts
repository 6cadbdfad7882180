/** A provider whose lists lack machines: some of them, or all at once. */
import { expect, it } from 'vitest';
import { AllMissingError } from '../errors.ts';
import type { HowReleased } from '../instance-port.ts';
import { AccountVms } from './account-vms.ts';
import { VmInstances } from './instances.ts';
import { MissingThingError } from './refusals.ts';
import { sshWay } from './ssh-way.ts';
import type { Vm, VmCloud } from './vm-cloud.ts';

const MISSING = { state: 'missing' };
const HOUR_MS = 3_600_000;
const SOON_MS = 10_000;
const LATE_MS = 30_000;

function machine(id: string, tags: Vm['tags'] = { 'dstack-key': id }): Vm {
  const instance = { name: 'small' } as Vm['instance'];
  return {
    ...{ id, name: id, region: 'us', instance, price: 1, status: 'up', tags, problem: null },
    ...{ address: '10.0.0.1', privateAddress: null },
  };
}

function world(...ids: readonly string[]) {
  let now = 0;
  let listed: readonly Vm[] = ids.map((id) => machine(id));
  const running = new Set(ids);
  const cloud: VmCloud = {
    ...{ type: 'lambda', title: 'Lambda', loginUser: 'root', statuses: { up: 'ready' } },
    lateMs: LATE_MS,
    list: async () => listed,
    create: async () => 'new',
    end: async ({ id }) => {
      if (!running.delete(id)) throw new MissingThingError(id);
    },
  };
  const pace = { now: () => now, delay: async () => {} };
  const offers = { priceOf: async () => 1, refused: () => {} };
  const opened = () =>
    new VmInstances({
      ...{ cloud, offers, way: sshWay(cloud, 's', null), pace },
      account: new AccountVms(pace),
    });
  let instances = opened();
  const handle = (id: string) => ({ id, data: null });
  return {
    observe: (id: string) => instances.observe(handle(id)).catch((error: unknown) => error),
    release: (id: string, how?: HowReleased) =>
      instances.release(handle(id), how).catch((error: unknown) => error),
    /** Lists contain these from now on. */
    lists: (...vms: readonly Vm[]) => {
      listed = vms;
      now += SOON_MS;
    },
    /** The server is another process. */
    restarted: () => {
      instances = opened();
    },
    /** The account is another one too. */
    replaced: () => {
      running.clear();
      instances = opened();
    },
    later: (ms: number) => {
      now += ms;
    },
  };
}

it('counts as no answer when all machines are missing at once, and as one when a part of them is', async () => {
  const { observe, lists } = world('a', 'b', 'c');
  for (const id of ['a', 'b', 'c']) expect(await observe(id)).toMatchObject({ state: 'ready' });
  lists(machine('c'));
  expect(await observe('a')).toEqual(MISSING);
  lists(machine('b'), machine('c'));
  expect(await observe('b')).toMatchObject({ state: 'ready' });
  lists();
  const error = await observe('b');
  expect(error).toBeInstanceOf(AllMissingError);
  expect((error as Error).message).toMatch(/^Lambda lists none of the 2 known machines/);
  expect(await observe('c')).toBeInstanceOf(AllMissingError);
  lists(machine('c'));
  expect(await observe('c')).toMatchObject({ state: 'ready' });
  expect(await observe('b')).toEqual(MISSING);
});

it('is believed about a machine that is the only one', async () => {
  const { observe, lists } = world('a');
  expect(await observe('a')).toMatchObject({ state: 'ready' });
  lists();
  expect(await observe('a')).toEqual(MISSING);
});

it('is believed ten minutes after a restart about a machine that is the only one', async () => {
  const { observe, lists, later, replaced } = world('a');
  replaced();
  lists();
  const error = await observe('a');
  expect(error).toBeInstanceOf(AllMissingError);
  expect((error as Error).message).toMatch(/^Lambda does not list the only known machine/);
  later(HOUR_MS / 6);
  expect(await observe('a')).toEqual(MISSING);
});

it('is believed after an hour of such answers', async () => {
  const { observe, lists, later } = world('a', 'b');
  await observe('a');
  await observe('b');
  lists();
  expect(await observe('a')).toBeInstanceOf(AllMissingError);
  later(HOUR_MS - 1);
  expect(await observe('b')).toBeInstanceOf(AllMissingError);
  later(1);
  expect(await observe('a')).toEqual(MISSING);
  expect(await observe('b')).toEqual(MISSING);
});

it('ends no machine with the key of another account, although it has machines too', async () => {
  const { observe, release, lists, replaced } = world('a', 'b');
  replaced();
  lists(machine('theirs'), machine('of a person', {}));
  // The first answer is not known yet to be one of several.
  expect(await observe('a')).toBeInstanceOf(AllMissingError);
  expect(await observe('b')).toBeInstanceOf(AllMissingError);
  expect(await observe('a')).toBeInstanceOf(AllMissingError);
  expect(await release('a')).toBeInstanceOf(AllMissingError);
});

it('counts no machine as released that the account does not know, for ten minutes after a restart', async () => {
  const { release, lists, later, replaced } = world('a', 'b');
  replaced();
  lists(machine('theirs'));
  const error = await release('a');
  expect(error).toBeInstanceOf(AllMissingError);
  expect((error as Error).message).toMatch(/^Lambda knows no machine a, .* check whether the key/);
  later(HOUR_MS / 6 - 1);
  expect(await release('a')).toBeInstanceOf(AllMissingError);
  later(1);
  expect(await release('a')).toBe('released');
});

it('is believed at once that a machine has ended where another one of the backend is listed', async () => {
  const { observe, release, lists, later, restarted } = world('a', 'b');
  await release('a');
  restarted();
  lists(machine('b'));
  expect(await observe('b')).toMatchObject({ state: 'ready' });
  expect(await release('a')).toBe('releasing');
  later(LATE_MS);
  expect(await release('a')).toBe('released');
});

it('is believed that a machine has ended whose end it had accepted before a restart', async () => {
  const { release, lists, later, restarted } = world('a');
  expect(await release('a')).toBe('releasing');
  restarted();
  lists();
  const how = { wasAccepted: true };
  expect(await release('a', how)).toBe('releasing');
  later(LATE_MS);
  expect(await release('a', how)).toBe('released');
});

it('is believed that a machine has ended that it has ended without listing it', async () => {
  const { release, lists, later, restarted } = world('a');
  restarted();
  lists();
  expect(await release('a')).toBe('releasing');
  later(LATE_MS);
  expect(await release('a')).toBe('released');
});

it('does not doubt that machines have ended that were ended by orders', async () => {
  const { observe, release, lists } = world('a', 'b', 'c');
  for (const id of ['a', 'b', 'c']) await observe(id);
  expect(await release('a')).toBe('releasing');
  expect(await release('b')).toBe('releasing');
  lists();
  expect(await observe('c')).toEqual(MISSING);
  expect(await release('a')).toBe('released');
});

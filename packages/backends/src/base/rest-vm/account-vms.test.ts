import { beforeEach, expect, it } from 'vitest';
import { AccountVms } from './account-vms.ts';
import type { Vm } from './vm-cloud.ts';

let now: number;
let account: AccountVms;
/** Lists that were asked for: each is answered when it is called. */
let asked: ((ids: readonly string[]) => void)[];
beforeEach(() => {
  now = 0;
  asked = [];
  account = new AccountVms({ now: () => now });
});

const list = () =>
  new Promise<readonly Vm[]>((resolve) => {
    asked.push((ids) => resolve(ids.map((id) => ({ id }) as Vm)));
  });
const settled = () => new Promise((resolve) => setImmediate(resolve));
const idsOf = async (vms: Promise<readonly Vm[]>) => (await vms).map(({ id }) => id);

it('a list of many pages is asked for once while it is under way, however long it takes', async () => {
  const first = account.shared(list);
  await settled();
  now = 40_000;
  const second = account.shared(list);
  await settled();
  expect(asked).toHaveLength(1);
  asked[0]?.(['a']);
  expect([await idsOf(first), await idsOf(second)]).toEqual([['a'], ['a']]);
  const third = account.shared(list);
  await settled();
  asked[1]?.(['b']);
  expect(await idsOf(third)).toEqual(['b']);
});

it('a change while a list is under way costs one further list after it, for all that ask', async () => {
  const first = account.shared(list);
  await settled();
  account.changed();
  const others = [account.shared(list), account.shared(list), account.fresh(list)];
  await settled();
  expect(asked).toHaveLength(1);
  asked[0]?.(['old']);
  expect(await idsOf(first)).toEqual(['old']);
  await settled();
  asked[1]?.(['new']);
  for (const other of others) expect(await idsOf(other)).toEqual(['new']);
  expect(asked).toHaveLength(2);
  expect(await idsOf(account.shared(list))).toEqual(['new']);
});

it('a list that fails is asked for again', async () => {
  const failing = account.shared(async () => Promise.reject(new Error('no answer')));
  await expect(failing).rejects.toThrow('no answer');
  const again = account.shared(list);
  await settled();
  asked[0]?.(['a']);
  expect(await idsOf(again)).toEqual(['a']);
  now = 2000;
  expect(await idsOf(account.shared(list))).toEqual(['a']);
  expect(account.hasListed('a')).toBe(true);
});

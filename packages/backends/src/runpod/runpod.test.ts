import { Requirements } from '@dstack/contract/wire';
import { describe, expect, it } from 'vitest';
import { agentToken } from '../base/agent-token.ts';
import { CONTAINER_LAUNCHER } from '../base/container-cloud/launcher.ts';
import { DOWNLOAD } from '../base/container-cloud/testing.ts';
import {
  BackendError,
  CredentialsError,
  NoCapacityError,
  QuotaError,
  RefusedOrderError,
} from '../base/errors.ts';
import { vmName } from '../base/rest-vm/names.ts';
import { CPU, newAccountForEachTest, STARTED_S } from './testing/account.ts';

const { now, another, offers, order, create, failure, sent } = newAccountForEachTest();

describe('a pod at RunPod', () => {
  it('runs the launcher in the image of the job, and its environment holds no secret of the job', async () => {
    const given = await order({ image: 'ubuntu:24.04' });
    await create(given);
    const name = vmName(given.key);
    expect(sent()?.body).toEqual({
      ...{
        name,
        cloud: 'SECURE',
        dataCenterIds: [given.offer?.region],
        image: 'ubuntu:24.04',
        disk: 50,
      },
      entrypoint: ['/bin/sh'],
      cmd: [
        '-c',
        CONTAINER_LAUNCHER,
        'sh',
        `wss://dstack.example/api/agents/dial/${name}`,
        given.owner.server,
      ],
      env: {
        DSTACK_AGENT_URL: `https://dstack.example${DOWNLOAD.path}`,
        DSTACK_AGENT_SHA256: DOWNLOAD.sha256,
        DSTACK_AGENT_TOKEN: agentToken('secret', name),
        DSTACK_TAGS: JSON.stringify({
          'dstack-server': given.owner.server,
          'dstack-project': 'main',
          'dstack-fleet': 'pool',
          'dstack-instance': given.owner.instance,
          'dstack-key': given.key,
          'dstack-region': given.offer?.region,
        }),
        RUNPOD_POD_USER: '0',
      },
      gpu: {
        ...{ id: 'NVIDIA H100 80GB HBM3', count: 1, minCudaVersion: '12.8' },
        ...{ minVcpuCountPerGpu: 4, minRamPerGpu: 80 },
      },
    });
  });

  it('that is not placed yet is shown in the data centre of its order', async () => {
    now().cloud.faults.set({ boot_seconds: [30, 30] });
    const given = await order();
    await create(given);
    now().clock.advance(3);
    const again = await create({ ...given, mayExist: true });
    expect(again?.provisioningData).toMatchObject({
      ...{ region: given.offer?.region, price: 2.99, entry_only: true },
    });
    expect(now().cloud.vms()).toBe(1);
  });

  it('without GPUs is ordered by flavour and number of processors', async () => {
    await create(await order({}, CPU));
    expect(sent()?.body).toMatchObject({ cpu: { id: 'cpu3c', vcpuCount: 2 }, disk: 10 });
  });

  it('is reached by the connection of its agent only', async () => {
    const given = await order();
    const created = await create(given);
    if (!created) throw new Error('it was not created');
    expect(created.handle.data).toBe(vmName(given.key));
    now().clock.advance(STARTED_S);
    expect(await now().backend.instances?.observe(created.handle, { facts: null })).toMatchObject({
      state: 'ready',
      machine: { provisioningData: { price: 2.99, dockerized: false, entry_only: true } },
      access: { kind: 'backend', token: agentToken('secret', vmName(given.key)) },
    });
  });

  it('is observed anew as soon as its agent has connected', async () => {
    const watchers = new Set<(instance: string) => void>();
    const dialIns = {
      take: async () => null,
      watch: (onWaiting: (instance: string) => void) => {
        watchers.add(onWaiting);
        return () => void watchers.delete(onWaiting);
      },
    };
    now().cloud.faults.set({ boot_seconds: [1, 1] });
    const watched = another({ dialIns });
    const changed: string[] = [];
    // Its end is not reported, so it is observed on a schedule too.
    expect(watched.instances?.watchesPartly).toBe(true);
    const end = watched.instances?.watch?.((id) => changed.push(id));
    const [first, second] = [await order(), await order()];
    const created = await watched.instances?.create(first);
    await watched.instances?.create(second);
    if (!created) throw new Error('it was not created');
    const observe = () => watched.instances?.observe(created.handle, { facts: null });
    expect(await observe()).toMatchObject({ state: 'pending' });
    now().clock.advance(1);
    // The last list is young enough to be the answer still.
    expect(await observe()).toMatchObject({ state: 'pending' });
    for (const onWaiting of watchers) onWaiting(vmName(first.key));
    expect(changed).toEqual([created.handle.id]);
    expect(await observe()).toMatchObject({ state: 'ready' });
    // After a restart all agents connect anew, which must not cost a call for each.
    const calls = now().cloud.log.length;
    for (const onWaiting of watchers) onWaiting(vmName(first.key));
    expect(await observe()).toMatchObject({ state: 'ready' });
    expect(now().cloud.log).toHaveLength(calls);
    for (const onWaiting of watchers) onWaiting('dstack-unknown');
    expect(changed).toHaveLength(2);
    end?.();
    expect(watchers.size).toBe(0);
  });

  it('that was renamed by a person keeps the token of its agent', async () => {
    const given = await order();
    const created = await create(given);
    if (!created) throw new Error('it was not created');
    const { vms } = now().cloud.account;
    expect(vms.get(created.handle.id)?.name).toBe(vmName(given.key));
    vms.change(created.handle.id, { name: 'mine' });
    now().clock.advance(STARTED_S);
    expect(await now().backend.instances?.observe(created.handle, { facts: null })).toMatchObject({
      access: { token: agentToken('secret', created.handle.data ?? '') },
    });
  });

  it('that names itself like another one in its environment has only itself ended, and gets no token of the other', async () => {
    const { vms } = now().cloud.account;
    const [victim, liar] = [await create(await order()), await create(await order())];
    if (!victim || !liar) throw new Error('they were not created');
    const { environment: claimed = {} } = vms.get(victim.handle.id)?.container ?? {};
    const { container } = vms.get(liar.handle.id) ?? {};
    if (!container) throw new Error('it has no container');
    vms.change(liar.handle.id, { container: { ...container, environment: claimed } });
    now().clock.advance(STARTED_S);
    // The server sends the token to the agent of the liar.
    expect(await now().backend.instances?.observe(liar.handle, { facts: null })).toMatchObject({
      access: { token: agentToken('secret', liar.handle.data ?? '') },
    });
    await now().backend.instances?.release(liar.handle);
    await new Promise(setImmediate);
    expect(vms.all().map(({ id }) => id)).toEqual([victim.handle.id]);
  });

  it('that has ended is reported with the last message of the launcher', async () => {
    const created = await create(await order());
    if (!created) throw new Error('it was not created');
    const words = 'pulling…\ndstack: the image has no tail\nexited';
    await now().cloud.interrupt(created.handle.id, { text: words });
    now().clock.advance(STARTED_S);
    expect(await now().backend.instances?.observe(created.handle, { facts: null })).toEqual({
      ...{ state: 'interrupted', reason: 'failed', text: 'RunPod: EXITED: the image has no tail' },
    });
    // Its words are asked for once.
    now().clock.advance(STARTED_S);
    await now().backend.instances?.observe(created.handle, { facts: null });
    expect(now().cloud.log.filter(({ path }) => path.includes('/logs'))).toHaveLength(1);
  });

  it('is not ordered for a numeric user, whom the provider would not set', async () => {
    const user = { uid: 1000, gid: null, username: null, groupname: null };
    expect(await failure(await order({ user }))).toBeInstanceOf(RefusedOrderError);
    expect(now().cloud.vms()).toBe(0);
  });
});

describe('refusals of RunPod', () => {
  it.each([
    ['no_capacity', { no_capacity: 1 }, NoCapacityError, 'no longer any instances available'],
    ['quota', { quota: 0 }, QuotaError, 'spend limit'],
    ['credentials', { refuse: 'credentials' }, CredentialsError, 'invalid bearer token'],
    ['permission', { refuse: 'permission' }, BackendError, 'access denied'],
    ['balance', { refuse: 'balance' }, BackendError, 'Insufficient balance'],
  ] as const)('%s is reported in its words', async (_, faults, kind, text) => {
    const given = await order();
    now().cloud.faults.set(faults);
    const error = await failure(given);
    expect(error).toBeInstanceOf(kind);
    expect(error.message).toContain(text);
    expect(now().cloud.vms()).toBe(0);
  });

  it('make a type sold out where it was refused, for this number of GPUs only', async () => {
    const given = await order();
    now().cloud.faults.set({ no_capacity: 1 });
    await failure(given);
    const where = (await offers(Requirements.parse({ resources: { gpu: 'H100:1..2' } }))).filter(
      ({ region }) => region === given.offer?.region,
    );
    expect(where.map(({ availability }) => availability)).toEqual(['not_available', 'available']);
  });

  it('of a key are found by the check, with the part that it may not use', async () => {
    expect((await now().backend.check()).every(({ ok }) => ok)).toBe(true);
    const other = another({ apiKey: 'another' });
    expect(await other.check()).toMatchObject([{ ok: false, refused: true, name: 'runpod: pods' }]);
  });
});

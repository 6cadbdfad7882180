import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ManualClock, manualClock } from '../../clock.ts';
import { type Cloud, startCloud } from '../../start-cloud.ts';

let cloud: Cloud;
let clock: ManualClock;
beforeEach(async () => {
  clock = manualClock();
  cloud = await startCloud({ personality: 'digitalocean', clock });
});
afterEach(() => cloud.close());

async function call(method: string, path: string, body?: unknown, key = cloud.apiKey) {
  const response = await fetch(`${cloud.url}/v2${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  // biome-ignore lint/suspicious/noExplicitAny: the tests read single fields of JSON.
  const answer: any = text === '' ? null : JSON.parse(text);
  return { status: response.status, headers: response.headers, answer };
}

const ORDER = { region: 'nyc2', size: 's-1vcpu-1gb', image: 'ubuntu-24-04-x64' };
const create = (changes: object = {}) =>
  call('POST', '/droplets', { name: 'one', ...ORDER, ...changes });
const list = async (query: string) => {
  const { answer } = await call('GET', `/droplets${query}`);
  return answer.droplets.map(({ name }: { name: string }) => name);
};
const refusal = async (answered: ReturnType<typeof call>) => {
  const { status, answer } = await answered;
  return `${status} ${answer.id}: ${answer.message}`;
};

it('a droplet is new without addresses, then active with a public and a private one', async () => {
  cloud.faults.set({ boot_seconds: [20, 20] });
  const { status, answer } = await create({ tags: ['dstack-server:a'] });
  expect(status).toBe(202);
  const { id } = answer.droplet;
  expect(answer.droplet).toMatchObject({ status: 'new', networks: { v4: [] } });
  const [action] = answer.links.actions;
  const progress = async () => (await call('GET', `/actions/${action.id}`)).answer.action.status;
  expect(await progress()).toBe('in-progress');
  clock.advance(20);
  expect(await progress()).toBe('completed');
  const shown = (await call('GET', `/droplets/${id}`)).answer.droplet;
  expect(shown).toMatchObject({ id, status: 'active', tags: ['dstack-server:a'] });
  const kinds = shown.networks.v4.map(({ type }: { type: string }) => type);
  expect(kinds).toEqual(['private', 'public']);
  expect((await call('DELETE', `/droplets/${id}`)).status).toBe(204);
  expect((await call('DELETE', `/droplets/${id}`)).status).toBe(404);
  expect(cloud.history()).toEqual([`+${id}`, `-${id}`]);
});

it('a creation that fails later is an action with an error', async () => {
  cloud.faults.set({ fails_to_boot: 1, boot_seconds: [5, 5] });
  const { answer } = await create();
  clock.advance(5);
  const { id } = answer.links.actions[0];
  expect((await call('GET', `/actions/${id}`)).answer.action.status).toBe('errored');
});

it('droplets with GPUs are listed only if asked for, or by their tag', async () => {
  await create({ name: 'plain', tags: ['both'] });
  await create({ name: 'fast', tags: ['both'], size: 'gpu-h100x1-80gb' });
  expect(await list('')).toEqual(['plain']);
  expect(await list('?type=gpus')).toEqual(['fast']);
  expect(await list('?tag_name=both')).toEqual(['plain', 'fast']);
  expect(await list('?name=PLAIN')).toEqual(['plain']);
  expect(await list('?name=fast')).toEqual([]);
  expect(await refusal(call('GET', '/droplets?tag_name=both&type=gpus'))).toMatch(/^422/);
});

it('lists have pages', async () => {
  await create({ name: undefined, names: ['a', 'b', 'c'] });
  const { answer } = await call('GET', '/droplets?per_page=2');
  expect(answer.droplets).toHaveLength(2);
  expect(answer.meta.total).toBe(3);
  const next = new URL(answer.links.pages.next);
  expect(await list(next.search)).toEqual(['c']);
});

it('answers carry the limits, and too many calls are refused with a time in bursts only', async () => {
  const first = await call('GET', '/account');
  expect(first.headers.get('ratelimit-limit')).toBe('5000');
  expect(first.headers.get('ratelimit-remaining')).toBe('4999');
  for (let calls = 1; calls < 250; calls++) await call('GET', '/account');
  const refused = await call('GET', '/account');
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  clock.advance(60);
  expect((await call('GET', '/account')).status).toBe(200);
});

it('refusals have the ids of the document, and only a text for capacity and limits', async () => {
  expect(await refusal(call('GET', '/account', undefined, 'another'))).toMatch(/^401 unauthorized/);
  cloud.faults.set({ refuse: 'permission' });
  expect(await refusal(create())).toMatch(/^403 forbidden/);
  cloud.faults.set({ quota: 0 });
  expect(await refusal(create())).toBe(
    '422 unprocessable_entity: creating this/these droplet(s) will exceed your droplet limit',
  );
  cloud.faults.set({});
  cloud.sellOut('s-1vcpu-1gb', 'nyc2');
  expect(await refusal(create())).toBe(
    '422 unprocessable_entity: Size is not available in this region.',
  );
  const invalid = /^422 unprocessable_entity/;
  expect(await refusal(create({ image: 'none' }))).toMatch(invalid);
  expect(await refusal(create({ name: 'a_b' }))).toMatch(invalid);
  expect(await refusal(create({ ssh_keys: [99] }))).toMatch(invalid);
  expect(await refusal(create({ tags: ['a b'] }))).toMatch(invalid);
  expect(await refusal(create({ user_data: 'x'.repeat(64 * 1024 + 1) }))).toMatch(invalid);
  expect(cloud.vms()).toBe(0);
});

it('a key is stored once, and found by its id or fingerprint', async () => {
  const key = { name: 'ada', public_key: 'ssh-ed25519 AAAA ada' };
  const { status, answer } = await call('POST', '/account/keys', key);
  expect(status).toBe(201);
  const { id, fingerprint } = answer.ssh_key;
  expect(fingerprint).toMatch(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/);
  const again = { ...key, name: 'another', public_key: 'ssh-ed25519 AAAA comment' };
  expect(await refusal(call('POST', '/account/keys', again))).toMatch(/^422.*already in use/);
  await create({ ssh_keys: [id] });
  await create({ ssh_keys: [fingerprint] });
  const keys = cloud.account.vms.all().map((vm) => vm.keys.map(({ name }) => name));
  expect(keys).toEqual([['ada'], ['ada']]);
});

it('volumes are attached and detached by actions, and deleted when they are free', async () => {
  cloud.faults.set({ attach_seconds: [7, 7] });
  const order = { name: 'data', region: 'nyc2', size_gigabytes: 10 };
  const { id } = (await call('POST', '/volumes', order)).answer.volume;
  expect(await refusal(call('POST', '/volumes', order))).toMatch(/^409 conflict/);
  const droplet_id = (await create()).answer.droplet.id;
  const act = async (type: string) =>
    (await call('POST', `/volumes/${id}/actions`, { type, droplet_id })).answer.action;
  const attached = async () => (await call('GET', `/volumes/${id}`)).answer.volume.droplet_ids;
  expect(await act('attach')).toMatchObject({ status: 'in-progress', type: 'attach_volume' });
  expect(await attached()).toEqual([]);
  clock.advance(7);
  expect(await attached()).toEqual([droplet_id]);
  expect(await refusal(call('DELETE', `/volumes/${id}`))).toMatch(/^409/);
  const { id: action } = await act('detach');
  clock.advance(7);
  const shown = await call('GET', `/volumes/${id}/actions/${action}`);
  expect(shown.answer.action.status).toBe('completed');
  expect((await call('DELETE', `/volumes/${id}`)).status).toBe(204);
  expect((await call('GET', '/volumes?name=data')).answer.volumes).toEqual([]);
});

it('a volume is attached in its own region only, to one droplet, and is free when that has ended', async () => {
  const order = { name: 'data', region: 'nyc2', size_gigabytes: 10 };
  const { id } = (await call('POST', '/volumes', order)).answer.volume;
  const droplet = async (region: string) => (await create({ region })).answer.droplet.id;
  const attach = (droplet_id: number) =>
    call('POST', `/volumes/${id}/actions`, { type: 'attach', droplet_id });
  expect((await attach(await droplet('tor1'))).status).toBe(422);
  const near = await droplet('nyc2');
  expect((await attach(near)).status).toBe(202);
  const other = await droplet('nyc2');
  expect(await refusal(attach(other))).toMatch(/^409/);
  await call('DELETE', `/droplets/${near}`);
  expect((await attach(other)).status).toBe(202);
});

it('a detachment that is stuck never ends', async () => {
  cloud.faults.set({ stuck_detach: 1 });
  const order = { name: 'data', region: 'nyc2', size_gigabytes: 10 };
  const { id } = (await call('POST', '/volumes', order)).answer.volume;
  const droplet_id = (await create()).answer.droplet.id;
  const act = async (type: string) =>
    (await call('POST', `/volumes/${id}/actions`, { type, droplet_id })).answer.action;
  await act('attach');
  const { id: action } = await act('detach');
  clock.advance(10_000);
  expect((await call('GET', `/actions/${action}`)).answer.action.status).toBe('in-progress');
  expect((await call('GET', `/volumes/${id}`)).answer.volume.droplet_ids).toEqual([droplet_id]);
});

it('a droplet with a volume of another region is not made', async () => {
  const order = { name: 'far', region: 'tor1', size_gigabytes: 10 };
  const { id } = (await call('POST', '/volumes', order)).answer.volume;
  expect(await refusal(create({ volumes: [id] }))).toMatch(/^422/);
  expect(cloud.vms()).toBe(0);
  await create({ volumes: [id], region: 'tor1' });
  expect(cloud.account.volumes.all()).toMatchObject([{ attachment: { state: 'attached' } }]);
});

it('AMD Developer Cloud has the same API with its own sizes', async () => {
  await cloud.close();
  cloud = await startCloud({ personality: 'amddevcloud' });
  const response = await fetch(`${cloud.url}/v2/sizes`, {
    headers: { authorization: `Bearer ${cloud.apiKey}` },
  });
  const { sizes } = (await response.json()) as { sizes: { gpu_info: { model: string } }[] };
  expect(sizes.map(({ gpu_info }) => gpu_info.model)).toEqual(['amd_mi300x', 'amd_mi300x']);
});

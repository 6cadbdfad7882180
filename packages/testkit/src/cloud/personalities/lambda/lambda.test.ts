import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ManualClock, manualClock } from '../../clock.ts';
import { type Cloud, startCloud } from '../../start-cloud.ts';

let cloud: Cloud;
let clock: ManualClock;
beforeEach(async () => {
  clock = manualClock();
  cloud = await startCloud({ personality: 'lambda', clock });
});
afterEach(() => cloud.close());

const call = (method: string, path: string, body?: unknown, authorization?: string) =>
  fetch(`${cloud.url}/api/v1${path}`, {
    method,
    headers: { authorization: authorization ?? `Bearer ${cloud.apiKey}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

/** The status and the code of the error, after a pause that the limits require. */
async function refused(method: string, path: string, body?: unknown) {
  clock.advance(60);
  const response = await call(method, path, body);
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  return `${response.status} ${error.code}: ${error.message}`;
}

const order = {
  ...{ region_name: 'us-east-1', instance_type_name: 'gpu_1x_a10', ssh_key_names: ['ada'] },
};

it('accepts the key as a bearer token, and as the user of Basic authentication', async () => {
  const basic = Buffer.from(`${cloud.apiKey}:`).toString('base64');
  for (const [header, status] of [
    [`Bearer ${cloud.apiKey}`, 200],
    [`Basic ${basic}`, 200],
    [`Basic ${cloud.apiKey}`, 200],
    ['Bearer another', 401],
    ['', 401],
  ] as const) {
    clock.advance(1);
    expect((await call('GET', '/instances', undefined, header)).status, header).toBe(status);
  }
});

it('admits one request a second, and one launch in twelve seconds', async () => {
  const status = async (path: string, body?: object) =>
    (await call(body ? 'POST' : 'GET', path, body)).status;
  expect(await status('/instances')).toBe(200);
  expect(await status('/instances')).toBe(429);
  clock.advance(1);
  expect(await status('/instances')).toBe(200);
  cloud.account.keys.add('ada', 'ssh-ed25519 AAAA ada');
  const launch = '/instance-operations/launch';
  clock.advance(1);
  expect(await status(launch, order)).toBe(200);
  clock.advance(2);
  expect(await status(launch, order)).toBe(429);
  clock.advance(10);
  expect(await status(launch, order)).toBe(200);
});

it('refuses a launch that its description does not allow', async () => {
  const launch = (changes: object) =>
    refused('POST', '/instance-operations/launch', { ...order, ...changes });
  expect(await launch({})).toBe(
    '404 global/object-does-not-exist: Specified instance does not exist.',
  );
  cloud.account.keys.add('ada', 'ssh-ed25519 AAAA ada');
  const invalid = /^400 global\/invalid-parameters: /;
  expect(await launch({ ssh_key_names: [] })).toMatch(invalid);
  expect(await launch({ name: 'x'.repeat(65) })).toMatch(invalid);
  expect(await launch({ tags: [{ key: 'Upper', value: '' }] })).toMatch(invalid);
  expect(await launch({ tags: [{ key: 'long', value: 'x'.repeat(129) }] })).toMatch(invalid);
  expect(await launch({ user_data: 'x'.repeat(1_000_001) })).toMatch(invalid);
  expect(await launch({ region_name: 'moon-1' })).toMatch(invalid);
  expect(await launch({ instance_type_name: 'gpu_9x' })).toMatch(invalid);
  expect(cloud.vms()).toBe(0);
});

it('ends all machines of a request or none', async () => {
  cloud.account.keys.add('ada', 'ssh-ed25519 AAAA ada');
  const launched = await call('POST', '/instance-operations/launch', order);
  const { data } = (await launched.json()) as { data: { instance_ids: string[] } };
  const ids = [...data.instance_ids, 'unknown'];
  expect(await refused('POST', '/instance-operations/terminate', { instance_ids: ids })).toMatch(
    /^404/,
  );
  expect(cloud.vms()).toBe(1);
});

it('shows tags, names, prices in cents and the regions with capacity', async () => {
  cloud.account.keys.add('ada', 'ssh-ed25519 AAAA ada');
  const tags = [{ key: 'dstack-server', value: 'a b' }];
  await call('POST', '/instance-operations/launch', { ...order, name: 'n', tags, user_data: '#!' });
  clock.advance(1);
  const listed = (await (await call('GET', '/instances')).json()) as { data: object[] };
  expect(listed.data).toMatchObject([
    { name: 'n', tags, ssh_key_names: ['ada'], region: { name: 'us-east-1' } },
  ]);
  expect(JSON.stringify(listed)).not.toContain('user_data');
  clock.advance(1);
  const types = (await (await call('GET', '/instance-types')).json()) as {
    data: Record<string, object>;
  };
  expect(types.data.gpu_1x_a10).toMatchObject({
    instance_type: { price_cents_per_hour: 75, specs: { gpus: 1, memory_gib: 200 } },
    regions_with_capacity_available: [{ name: 'us-east-1' }, {}, {}, {}],
  });
});

it('stores keys by a name that only one of them has', async () => {
  const key = { name: 'ada', public_key: 'ssh-ed25519 AAAA ada' };
  expect((await call('POST', '/ssh-keys', key)).status).toBe(200);
  expect(await refused('POST', '/ssh-keys', key)).toMatch(/^400 global\/invalid-parameters/);
  expect(await refused('GET', '/nothing')).toMatch(/^404 global\/not-found/);
});

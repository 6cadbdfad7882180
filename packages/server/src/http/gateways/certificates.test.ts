import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestAnswer, type TestServer } from '../testing/test-server.ts';
import { AUTHORITY, KEY, OWN } from './testing/pems.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  // The certificate is not valid earlier.
  server.advance(7 * 86_400);
});
afterAll(() => server.close());

const path = (action: string) => `/api/project/main/gateways/${action}`;

const create = (name: string, domain: string | null) =>
  server.call(path('create'), {
    configuration: { type: 'gateway', name, backend: 'aws', region: 'eu-west-1', domain },
  });
const set = (name: string, more: object = {}): Promise<TestAnswer> =>
  server.call(path('set_certificate'), {
    ...{ name, certificate: `${OWN}\n${AUTHORITY}`, key: KEY },
    ...more,
  });
const remove = (name: string, domain: string | null): Promise<TestAnswer> =>
  server.call(path('delete_certificate'), { name, domain });
const refusal = ({ body }: TestAnswer): string => body.detail[0].msg;

async function stored(name: string) {
  const project = await server.store.projects.byName('main');
  const view = await server.store.gateways.byName(project?.id ?? '', name);
  return view && (await server.store.gateways.certificates(view.gateway.id));
}

it('sets a certificate for its names below the domain of the gateway, and deletes it', async () => {
  const { body } = await create('edge', '*.apps.example.com');
  const answer = await set('edge');
  expect(answer.body).toMatchObject({ name: 'edge', certificates: [] });
  expect(answer.text).not.toContain('PRIVATE KEY');
  expect(await stored('edge')).toMatchObject([{ domain: '*.apps.example.com', key: KEY }]);
  expect((await set('edge')).status).toBe(200);
  expect(await stored('edge')).toHaveLength(1);
  expect(refusal(await remove('edge', 'other.example.org'))).toBe(
    "Gateway 'edge' has no certificate for other.example.org that was set by a user",
  );
  expect((await remove('edge', '*.Apps.example.com')).status).toBe(200);
  expect(await stored('edge')).toEqual([]);
  expect((await remove('edge', null)).status).toBe(400);
  const events = await server.call('/api/events/list', {
    ...{ within_gateways: [body.id], ascending: true },
  });
  expect(events.body.map((one: { message: string }) => one.message)).toEqual([
    'Gateway created. Status: SUBMITTED',
    'Gateway certificate set for *.apps.example.com, valid until 2035-02-13',
    'Gateway certificate set for *.apps.example.com, valid until 2035-02-13',
    'Gateway certificate deleted for *.apps.example.com',
  ]);
});

it('sets one for the domain of each project', async () => {
  await create('shared', '${{ run.project_name }}.example.com');
  expect((await set('shared')).status).toBe(200);
  expect(await stored('shared')).toMatchObject([{ domain: '*.apps.example.com' }]);
});

it('refuses certificates that no service could use, and callers who are no admins', async () => {
  expect(refusal(await set('nosuch'))).toMatch(/'nosuch' does not exist/);
  await create('elsewhere', 'else.example.com');
  expect(refusal(await set('elsewhere'))).toBe(
    'The certificate is for *.apps.example.com, other.example.org, but the services of gateway elsewhere have names below else.example.com: get one for *.else.example.com',
  );
  await create('nameless', null);
  expect(refusal(await set('nameless'))).toMatch(/has no domain: set `domain` first/);
  expect(refusal(await set('edge', { key: OWN }))).toMatch(/contains no private key/);
  expect(refusal(await set('edge', { certificate: 'x'.repeat(70_000) }))).toMatch(/at most/);
  await server.call('/api/users/create', { username: 'bob', global_role: 'user' });
  const { body } = await server.call('/api/users/get_user', { username: 'bob' });
  const members = [{ username: 'bob', project_role: 'manager' }];
  await server.call('/api/projects/main/add_members', { members });
  const pem = { name: 'edge', certificate: OWN, key: KEY };
  const asMember = await server.call(path('set_certificate'), pem, { token: body.creds.token });
  expect(asMember.status).toBe(403);
});

/** Permission to create a project whose name gives it the server's machine, or domains of the operator. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startTestServer({ gatewayDomains: new Map([['lab', ['lab.example.com']]]) });
  await server.call('/api/users/create', { username: 'alice', global_role: 'user' });
  token = (await server.call('/api/users/get_user', { username: 'alice' })).body.creds.token;
});
afterAll(() => server.close());

const create = (project_name: string, options?: { token: string }) =>
  server.call('/api/projects/create', { project_name }, options);

it('belongs to global admins: no other user can use such a name, in any case of letters', async () => {
  for (const name of ['trusted', 'Trusted']) {
    const refused = await create(name, { token });
    expect(refused.status).toBe(403);
    expect(refused.text).toContain(`a project with the name ${name} may run on`);
  }
  expect((await create('other', { token })).status).toBe(200);
  expect((await create('trusted')).status).toBe(200);
});

it('also applies to the name of a deleted project', async () => {
  const deleted = await server.call('/api/projects/delete', { projects_names: ['main'] });
  expect(deleted.status).toBe(200);
  expect((await create('main', { token })).status).toBe(403);
});

it('also applies to names to which the operator has given domains', async () => {
  for (const name of ['lab', 'Lab']) {
    const refused = await create(name, { token });
    expect(refused.status).toBe(403);
    expect(refused.text).toContain(`given domains to the project with the name ${name}`);
  }
  expect((await create('lab')).status).toBe(200);
});

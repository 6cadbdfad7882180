import { hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ codeUploadLimit: 600 });
});
afterAll(() => server.close());

describe('transport', () => {
  it('answers JSON without a charset, compact, and null for an empty result', async () => {
    const info = await server.call('/api/server/get_info');
    expect(info.headers['content-type']).toBe('application/json');
    expect(info.text).toBe('{"server_version":"0.22.5","upload_limit":600}');
    const stop = await server.call('/api/project/main/runs/stop', { runs_names: [], abort: false });
    expect(stop.text).toBe('null');
  });

  it('gives every answer the id of its request', async () => {
    const own = await server.call('/healthcheck', undefined, { method: 'GET' });
    expect(own.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    const headers = { 'x-request-id': 'trace/1-a' };
    const given = await server.call('/healthcheck', undefined, { method: 'GET', headers });
    expect(given.headers['x-request-id']).toBe('trace/1-a');
    expect(given.body).toEqual({ status: 'running' });
  });

  it.each(['application/x-www-form-urlencoded', 'text/plain', 'garbage', ''])(
    'reads JSON sent as %j',
    async (type) => {
      const answer = await server.call('/api/users/get_user', undefined, {
        raw: '{"username":"admin"}',
        headers: { 'content-type': type },
      });
      expect(answer.status).toBe(200);
    },
  );

  it.each([undefined, '', 'null'])(
    'accepts the body %j for all defaults if the body is optional',
    async (raw) => {
      const answer = await server.call('/api/users/list', undefined, { raw });
      expect([answer.status, answer.body.length]).toEqual([200, 1]);
    },
  );

  it('checks the token first, then the form of the body', async () => {
    const body = { nosuch: 1 };
    const path = '/api/users/get_user';
    expect((await server.call(path, body, { token: null })).status).toBe(401);
    expect((await server.call(path, body, { token: 'wrong' })).status).toBe(403);
    expect((await server.call(path, body)).status).toBe(422);
    expect((await server.call(path, undefined, { raw: '{', token: null })).status).toBe(401);
    expect((await server.call(path, undefined, { raw: '{' })).status).toBe(422);
  });

  it('describes how to authenticate', async () => {
    const answer = await server.call('/api/users/get_my_user', undefined, { token: null });
    expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect(answer.body).toEqual({ detail: 'Not authenticated' });
  });

  it('accepts any case of the scheme and of a project’s name', async () => {
    const headers = { authorization: `bEARER ${server.token}` };
    const answer = await server.call('/api/projects/MAIN/get', undefined, { token: null, headers });
    expect(answer.body.project_name).toBe('main');
  });

  it('answers an unknown project in the path with 404', async () => {
    const answer = await server.call('/api/project/nosuch/runs/get', { run_name: 'x' });
    expect([answer.status, answer.body]).toEqual([
      404,
      { detail: { msg: 'Not found', code: null } },
    ]);
  });

  it('answers other paths with 404 to GET, and with 405 and the allowed methods otherwise', async () => {
    const get = await server.call('/api/users/list', undefined, { method: 'GET' });
    expect([get.status, get.body]).toEqual([404, { detail: 'Not Found' }]);
    const post = await server.call('/api/nosuch', {});
    expect([post.status, post.headers.allow]).toEqual([405, 'GET, HEAD']);
  });

  it.each(['%zz', 'a'.repeat(3000)])(
    'answers an undecodable path like any unknown one: %.5s',
    async (name) => {
      const path = `/api/project/${name}/fleets/list`;
      const posted = await server.call(path);
      expect([posted.status, posted.body]).toEqual([405, { detail: 'Method Not Allowed' }]);
      const got = await server.call(path, undefined, { method: 'GET' });
      expect([got.status, got.body]).toEqual([404, { detail: 'Not Found' }]);
      expect(got.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    },
  );

  it('refuses null if a body is required', async () => {
    const answer = await server.call('/api/fleets/list', undefined, { raw: 'null' });
    expect(answer.status).toBe(422);
    expect(answer.body.detail).toMatchObject([{ type: 'missing', loc: ['body'] }]);
  });

  it('refuses a body that is too large', async () => {
    const raw = JSON.stringify({ username: 'x'.repeat(17 * 1024 * 1024) });
    const answer = await server.call('/api/users/get_user', undefined, { raw });
    expect(answer.status).toBe(413);
  });

  it('answers clients before 0.21.3 in their form, and refuses newer ones', async () => {
    const path = '/api/server/get_info';
    const old = await server.call(path, undefined, { headers: { 'x-api-version': '0.20.0' } });
    expect(old.status).toBe(200);
    const newer = await server.call(path, undefined, { headers: { 'x-api-version': '0.23.0' } });
    expect(newer.status).toBe(400);
  });

  it('publishes its description', async () => {
    const api = await server.call('/openapi.json', undefined, { method: 'GET', token: null });
    expect(api.body.paths).toHaveProperty(['/api/project/{project_name}/runs/apply']);
    const path = '/schemas/configuration.json';
    const schema = await server.call(path, undefined, { method: 'GET', token: null });
    expect(schema.body.$defs).toHaveProperty('TaskConfiguration');
  });

  it.each([
    ['configuration', 'DstackConfiguration'],
    ['profiles', 'ProfilesConfig'],
    ['server-config', 'ServerConfig'],
  ])('returns the schema %s to editors, and 304 while it is unchanged', async (name, title) => {
    const get = (headers = {}) =>
      server.call(`/schemas/${name}.json`, undefined, { method: 'GET', token: null, headers });
    const first = await get();
    expect([first.status, first.body.title]).toEqual([200, title]);
    expect(first.headers).toMatchObject({
      'content-type': expect.stringContaining('application/json'),
      'cache-control': expect.stringContaining('public'),
      'access-control-allow-origin': '*',
    });
    const etag = String(first.headers.etag);
    const again = await get({ 'if-none-match': `"other", W/${etag}` });
    expect([again.status, again.text, again.headers.etag]).toEqual([304, '', etag]);
    expect((await get({ 'if-none-match': '"other"' })).status).toBe(200);
  });
});

describe('uploads', () => {
  function form(name: string, filename: string, content: string) {
    const boundary = 'limit';
    const head = `Content-Disposition: form-data; name="${name}"; filename="${filename}"`;
    const type = 'Content-Type: application/octet-stream';
    const raw = `--${boundary}\r\n${head}\r\n${type}\r\n\r\n${content}\r\n--${boundary}--\r\n`;
    return { raw, headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } };
  }

  it('are stored under the hash of their bytes, which is the file name, once', async () => {
    const path = '/api/files/upload_archive';
    const name = hash('sha256', 'tar');
    const first = await server.call(path, undefined, form('file', name, 'tar'));
    const again = await server.call(path, undefined, form('file', name, 'tar'));
    expect(first.body).toEqual({ id: expect.any(String), hash: name });
    expect(again.body).toEqual(first.body);
    const found = await server.call('/api/files/get_archive_by_hash', { hash: name });
    expect(found.body).toEqual(first.body);
    const [record] = await server.store.files.archivesByIds([first.body.id]);
    expect(await server.deps.blobs.has(record?.sha256 ?? '')).toBe(true);
  });

  it('are refused above the limit, with both sizes', async () => {
    const upload = form('file', 'big', 'x'.repeat(700));
    const answer = await server.call('/api/files/upload_archive', undefined, upload);
    expect(answer.status).toBe(400);
    expect(answer.body.detail[0].msg).toContain('600');
  });

  it('require a part named file', async () => {
    const upload = form('other', 'x', 'y');
    const answer = await server.call('/api/files/upload_archive', undefined, upload);
    expect(answer.body.detail[0]).toMatchObject({ type: 'missing', loc: ['body', 'file'] });
  });

  it('of code require a registered repo', async () => {
    const path = '/api/project/main/repos/upload_code?repo_id=r1';
    const unknown = await server.call(path, undefined, form('file', 'h', 'diff'));
    expect(unknown.body.detail[0].code).toBe('repo_does_not_exist');
    const repo = { repo_id: 'r1', repo_info: { repo_type: 'remote', repo_name: 'r' } };
    await server.call('/api/project/main/repos/init', repo);
    const upload = form('file', hash('sha256', 'diff'), 'diff');
    expect((await server.call(path, undefined, upload)).text).toBe('null');
  });
});

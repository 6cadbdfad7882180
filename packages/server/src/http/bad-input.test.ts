/** Invalid requests: each gets its status and code, and none breaks anything. */
import { hash as sha256 } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ codeUploadLimit: 0 });
});
afterAll(() => server.close());

const post = (path: string, raw: string | Buffer, headers: Record<string, string> = {}) =>
  server.call(path, undefined, { raw, headers });

describe('bodies', () => {
  it.each([
    ['that end too soon', '{"username":"admin"'],
    ['with a trailing comma', '{"username":"admin",}'],
    ['that are not text', Buffer.from([0xff, 0xfe, 0x00])],
    ['with two values', '{} {}'],
    ['with NaN', '{"username":NaN}'],
  ])('%s are malformed JSON', async (_what, raw) => {
    const answer = await post('/api/users/get_user', raw);
    expect([answer.status, answer.body.detail[0].type]).toEqual([422, 'json_invalid']);
  });

  it.each(['[]', '"text"', '1', 'true'])('%s are not an object', async (raw) => {
    const answer = await post('/api/users/get_user', raw);
    expect(answer.status).toBe(422);
    expect(answer.body.detail[0].loc).toEqual(['body']);
  });

  it('that set the prototype of objects change nothing', async () => {
    const raw = '{"username":"admin","__proto__":{"polluted":1}}';
    expect((await post('/api/users/get_user', raw)).status).toBe(422);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  it('with endless nesting are refused', async () => {
    const deep = '['.repeat(50_000) + ']'.repeat(50_000);
    const answer = await post('/api/users/get_user', `{"username":${deep}}`);
    expect(answer.status).toBe(422);
  });

  it.each([
    ['{"username":"a\\u0000b"}', ['username']],
    ['{"username":"a","x":[1,{"k":"\\u0000"}]}', ['x', 1, 'k']],
    ['{"username":"a","\\u0000":1}', ['\u0000']],
  ])('%s contain a character that no database stores', async (raw, where) => {
    const answer = await post('/api/users/get_user', raw);
    expect(answer.status).toBe(422);
    expect(answer.body.detail).toMatchObject([{ type: 'value_error', loc: ['body', ...where] }]);
    const anonymous = await server.call('/api/users/get_user', undefined, { raw, token: null });
    expect(anonymous.status).toBe(401);
  });

  it('larger than any valid request are refused before they are read', async () => {
    const raw = Buffer.alloc(16 * 1024 * 1024 + 1, ' ');
    const answer = await post('/api/users/list', raw);
    expect([answer.status, typeof answer.body.detail]).toEqual([413, 'string']);
  });

  it('are refused by endpoints for uploads', async () => {
    const answer = await post('/api/files/upload_archive', '{}');
    expect(answer.body.detail[0]).toMatchObject({ type: 'missing', loc: ['body', 'file'] });
  });
});

describe('paths', () => {
  it.each(['/api/project/ma%00in/fleets/list', '/api/project/main/repos/upload_code?repo_id=%00'])(
    '%s is unknown: no database stores such a character',
    async (path) => {
      expect((await server.call(path)).status).toBe(405);
      expect((await server.call(path, undefined, { method: 'GET' })).status).toBe(404);
    },
  );
});

describe('uploads', () => {
  const form = (filename: string, content = 'tar') => {
    const head = `Content-Disposition: form-data; name="file"; filename="${filename}"`;
    return `--b\r\n${head}\r\nContent-Type: application/octet-stream\r\n\r\n${content}\r\n--b--\r\n`;
  };
  const multipart = { 'content-type': 'multipart/form-data; boundary=b' };

  const hash = (content: string) => sha256('sha256', content);
  const drafts = async () => await readdir(join(server.dir, 'blobs', 'drafts'));

  it.each(['../../etc/passwd', '/etc/passwd', '..\\\\..\\\\x', 'a/../../b', 'abc', 'A'.repeat(64)])(
    'named %s are refused: their name is not a hash',
    async (name) => {
      const answer = await post('/api/files/upload_archive', form(name), multipart);
      expect([answer.status, answer.body.detail[0].msg]).toEqual([
        400,
        expect.stringContaining('SHA-256'),
      ]);
    },
  );

  it('with another hash than their name are refused, and nothing is stored', async () => {
    const name = hash('what was promised');
    const answer = await post('/api/files/upload_archive', form(name, 'another thing'), multipart);
    expect(answer.status).toBe(400);
    expect(answer.body.detail[0].msg).toContain(hash('another thing'));
    expect(await drafts()).toEqual([]);
    expect(await server.deps.blobs.has(name)).toBe(false);
    expect(await server.deps.blobs.has(hash('another thing'))).toBe(false);
    const found = await server.call('/api/files/get_archive_by_hash', { hash: name });
    expect(found.body.detail[0].code).toBe('resource_not_exists');
  });

  it('with fields or other files beside the file are refused', async () => {
    const file = form(hash('tar')).replace('--b--\r\n', '');
    const field = '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n';
    for (const raw of [
      `${file}${file}--b--\r\n`,
      `${file}${field}--b--\r\n`,
      `${field}${file}--b--`,
    ]) {
      const answer = await post('/api/files/upload_archive', raw, multipart);
      expect([400, 422]).toContain(answer.status);
    }
    expect(await drafts()).toEqual([]);
  });

  it.each([
    ['without a boundary', form('x'), { 'content-type': 'multipart/form-data' }],
    ['torn in the middle', '--b\r\nNone--b--\r\n', multipart],
    ['with another boundary', form('x').replaceAll('--b', '--c'), multipart],
  ])('%s are refused', async (_what, raw, headers) => {
    const answer = await post('/api/files/upload_archive', raw, headers);
    expect([400, 422]).toContain(answer.status);
    expect(answer.body.detail).toHaveLength(1);
  });
});

describe('paging tokens', () => {
  const id = '7971ea15-4056-4bef-8833-c93e0e7d5128';
  const poll = (next_token: unknown) =>
    server.call('/api/project/main/logs/poll', {
      run_name: 'train',
      job_submission_id: id,
      next_token,
      descending: false,
      limit: 10,
      diagnose: false,
    });

  it.each(['abc', '-1', '1.5', id, ''])(
    'of logs that are not a number (%j) are refused',
    async (token) => {
      const answer = await poll(token);
      expect([answer.status, answer.body.detail[0].code]).toEqual([400, 'error']);
      expect(answer.body.detail[0].msg).toContain(token);
    },
  );

  it.each([
    ['/api/runs/list', { prev_submitted_at: 'yesterday' }],
    ['/api/runs/list', { prev_run_id: '12' }],
    ['/api/fleets/list', { prev_created_at: {} }],
    ['/api/events/list', { prev_recorded_at: true }],
  ])('of %s must have the form that the server issued: %j', async (path, body) => {
    expect((await server.call(path, body)).status).toBe(422);
  });
});

describe('two concurrent applies', () => {
  const run_spec = {
    run_name: 'race',
    configuration: { type: 'task', commands: ['true'] },
    profile: { name: 'default' },
  };
  const apply = () =>
    server.call('/api/project/main/runs/apply', { plan: { run_spec }, force: false });

  it('of one run: one is submitted, the other is refused because the run has changed', async () => {
    const answers = await Promise.all([apply(), apply()]);
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 400]);
    const lost = answers.find((answer) => answer.status === 400);
    expect(lost?.body.detail).toEqual([
      { msg: expect.stringMatching(/Resource has been changed|active run/), code: 'error' },
    ]);
    const listed = await server.call('/api/runs/list', { only_active: true });
    expect(
      listed.body.map((run: { run_spec: { run_name: string } }) => run.run_spec.run_name),
    ).toEqual(['race']);
  });

  it('of one fleet: one is created, the other is refused because the fleet has changed', async () => {
    const configuration = { type: 'fleet', name: 'race', nodes: '0..1' };
    const plan = { spec: { configuration, profile: { name: 'default' } } };
    const create = () => server.call('/api/project/main/fleets/apply', { plan, force: false });
    const answers = await Promise.all([create(), create(), create()]);
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 400, 400]);
    const lost = answers.find((answer) => answer.status === 400);
    expect(lost?.body.detail[0].msg).toMatch(/Resource has been changed/);
  });

  it.each([
    ['user', '/api/users/create', { username: 'twin', global_role: 'user' }],
    ['project', '/api/projects/create', { project_name: 'twin' }],
    ['export', '/api/project/main/exports/create', { name: 'twin' }],
  ])('of one %s: one is created, for the other it exists', async (_what, path, body) => {
    const answers = await Promise.all([server.call(path, body), server.call(path, body)]);
    const lost = answers.find((answer) => answer.status !== 200);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    expect(lost?.body.detail[0].code).toBe('resource_exists');
  });
});

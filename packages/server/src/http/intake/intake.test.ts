/** Bodies over real connections: permissions, size and speed. */
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { Intake } from '@dstack/proxy';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RawConnection } from '../testing/raw-connection.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

const MIB = 1024 * 1024;
const intake = new Intake({ memory: 2 * MIB, pace: { graceMs: 1000, bytesPerSecond: 1e9 } });

let server: TestServer;
let port: number;
const connections: RawConnection[] = [];

beforeAll(async () => {
  server = await startTestServer({}, { intake });
  await server.app.listen({ port: 0, host: '127.0.0.1' });
  port = (server.app.server.address() as AddressInfo).port;
});
afterEach(() => {
  for (const connection of connections.splice(0)) connection.close();
});
afterAll(() => server.close());

async function open(): Promise<RawConnection> {
  const connection = await RawConnection.open(port);
  connections.push(connection);
  return connection;
}

const head = (
  length: number | string,
  token: string | null = server.token,
  more: string[] = [],
) => [
  'POST /api/users/get_user HTTP/1.1',
  'Host: x',
  `Content-Length: ${length}`,
  ...(token === null ? [] : [`Authorization: Bearer ${token}`]),
  ...more,
];

const statuses = (text: string) =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));

describe('a body', () => {
  it.each([
    ['without a token', null, 401],
    ['with a wrong token', 'wrong', 403],
  ])('of a caller %s is not waited for', async (_who, token, status) => {
    const connection = (await open()).head(...head(500_000_000, token));
    expect(statuses(await connection.until('"detail"'))).toEqual([status]);
    expect(intake.budget.used).toBe(0);
  });

  it('is not requested before its caller is authenticated', async () => {
    const expecting = ['Expect: 100-continue'];
    const stranger = (await open()).head(...head(20, null, expecting));
    const refused = await stranger.untilClosed();
    expect(statuses(refused)).toEqual([401]);
    const caller = (await open()).head(...head(20, server.token, expecting));
    await caller.until('100 Continue');
    const answer = await caller.send('{"username":"admin"}').until('"admin"');
    expect(statuses(answer)).toEqual([100, 200]);
  });

  it('that arrives too slowly is cut off with 408', async () => {
    const connection = (await open()).head(...head(20)).send('{"user');
    const answer = await connection.untilClosed();
    expect(statuses(answer)).toEqual([408]);
    expect(answer).toContain('too slowly');
    expect(intake.budget.used).toBe(0);
  });

  it('releases its memory when its client disconnects', async () => {
    const connection = (await open()).head(...head(60_000)).send('['.padEnd(50_000));
    while (intake.budget.used === 0) await setImmediate();
    connection.close();
    while (intake.budget.used > 0) await setImmediate();
  });

  it('of an unauthenticated caller is read only up to a small size', async () => {
    const upload = ['Content-Type: multipart/form-data; boundary=b'];
    const path = (line: string) => line.replace('/api/users/get_user', '/api/files/upload_archive');
    const large = (token: string | null) => head(32 * MIB, token, upload).map(path);
    const stranger = (await open()).head(...large(null)).send(Buffer.alloc(32 * MIB));
    expect(statuses(await stranger.until('"detail"'))).toEqual([401]);
    const caller = (await open()).head(...large(server.token)).send(Buffer.alloc(32 * MIB));
    expect(statuses(await caller.until('"detail"'))).toEqual([400]);
    await caller.untilSent();
    expect(stranger.unsent).toBeGreaterThan(8 * MIB);
  });

  it('above the limit of its endpoint is refused, by its stated length or while it arrives', async () => {
    const stated = (await open()).head(...head(2 * MIB));
    expect(statuses(await stated.until('"detail"'))).toEqual([413]);
    const chunked = (await open()).head(
      ...head(0).filter((line) => !line.startsWith('Content-Length')),
      'Transfer-Encoding: chunked',
    );
    const piece = `10000\r\n${' '.repeat(65_536)}\r\n`;
    chunked.send(piece.repeat(17));
    expect(statuses(await chunked.until('"detail"'))).toEqual([413]);
    expect(intake.budget.used).toBe(0);
  });

  it('with an encoding is refused: nothing is unpacked', async () => {
    const answer = await server.call('/api/users/get_user', undefined, {
      raw: Buffer.from('1f8b0800', 'hex'),
      headers: { 'content-encoding': 'gzip' },
    });
    expect([answer.status, answer.body.detail]).toEqual([415, expect.stringContaining('gzip')]);
  });

  it('that was not read leaves its connection usable', async () => {
    const connection = (await open()).head(...head(100_000, 'wrong')).send('x'.repeat(100_000));
    await connection.until('"detail"');
    connection.forget();
    connection.head(...head(20)).send('{"username":"admin"}');
    expect(statuses(await connection.until('"admin"'))).toEqual([200]);
  });

  it.each([
    ['too large, by its stated length', ' '.repeat(2 * MIB), 413],
    ['malformed', `[${'1,'.repeat(30_000)}`.padEnd(MIB), 422],
  ])('that is %s leaves its connection usable', async (_how, body, status) => {
    const connection = (await open()).head(...head(body.length)).send(body);
    expect(statuses(await connection.until('"detail"'))).toEqual([status]);
    connection.forget();
    connection.head(...head(20)).send('{"username":"admin"}');
    expect(statuses(await connection.until('"admin"'))).toEqual([200]);
  });

  it('whose rest is not read closes its connection, and its sender receives the answer before', async () => {
    const connection = (await open()).head(...head(2 * MIB, null)).send(' '.repeat(2 * MIB));
    const answer = await connection.untilEnd();
    expect(statuses(answer)).toEqual([401]);
    expect(answer.toLowerCase()).toContain('connection: close');
  });

  it('does not wait for memory: too many large ones at once are refused with a retry time', async () => {
    // A caller has half of three quarters: 768 KiB beside the small part.
    const large = 600_000;
    const first = (await open()).head(...head(large)).send('['.padEnd(large - 1));
    const second = (await open()).head(...head(large)).send('['.padEnd(large - 1));
    // The one that uses the memory is never completed.
    const answer = await Promise.race([first.until('"detail"'), second.until('"detail"')]);
    expect(statuses(answer)).toEqual([429]);
    expect(answer).toContain('retry-after: 1');
    for (const connection of [first, second]) connection.close();
    await expect.poll(() => intake.budget.used).toBe(0);
  });
});

describe('JSON', () => {
  const post = (raw: string | Buffer, path = '/api/users/get_user') =>
    server.call(path, undefined, { raw });

  it.each([
    ['deep nesting', '['.repeat(101)],
    ['deep nesting of objects', '{"a":'.repeat(101)],
    ['many elements', `[${'1,'.repeat(30_000)}1]`],
    ['many lists', `[${'[],'.repeat(15_000)}1]`],
    ['many keys', `{${Array.from({ length: 15_000 }, (_, i) => `"${i}":1`).join()}}`],
    ['a byte order mark', '\uFEFF{"username":"admin"}'],
    ['bytes other than UTF-8', Buffer.from('7b22757365726e616d65223a22ff227d', 'hex')],
    ['UTF-16', Buffer.from('{"username":"admin"}', 'utf16le')],
    ['a repeated key', '{"username":"admin","username":"other"}'],
    ['a repeated key, once escaped', '{"username":"admin","usern\\u0061me":"other"}'],
  ])('with %s is malformed', async (_what, raw) => {
    const answer = await post(raw);
    expect([answer.status, answer.body.detail]).toEqual([
      422,
      [expect.objectContaining({ type: 'json_invalid' })],
    ]);
  });

  it.each([
    ['a number without end', '{"username":1e999}', ['username']],
    ['the key __proto__', '{"username":"a","__proto__":{"b":1}}', ['__proto__']],
    ['half a character', '{"username":"\\ud800"}', ['username']],
    ['half a character in a key', '{"username":"a","\\udfff":1}', ['\udfff']],
  ])('with %s is refused with its place', async (_what, raw, place) => {
    const answer = await post(raw);
    expect(answer.status).toBe(422);
    expect(answer.body.detail).toMatchObject([{ type: 'value_error', loc: ['body', ...place] }]);
  });

  it('names the repeated key', async () => {
    const answer = await post('{"a":{"b":1,"c":"\\"","b":2},"b":3}');
    expect(answer.body.detail[0].ctx.error).toContain('"b"');
  });

  it('may carry the resource that the client has read, however many jobs it has', async () => {
    const run_spec = {
      run_name: 'seen',
      configuration: { type: 'task', commands: ['true'] },
      profile: { name: 'default' },
    };
    const path = '/api/project/main/runs/apply';
    const first = await server.call(path, { plan: { run_spec }, force: false });
    const [job] = first.body.jobs;
    const seen = { ...first.body, jobs: Array.from({ length: 2000 }, () => job) };
    const changed = { ...run_spec, configuration: { ...run_spec.configuration, priority: 7 } };
    const raw = JSON.stringify({
      plan: { run_spec: changed, current_resource: seen },
      force: false,
    });
    expect(raw.length).toBeGreaterThan(2 * MIB);
    const answer = await server.call(path, undefined, { raw });
    expect([answer.status, answer.body.run_spec.configuration.priority]).toEqual([200, 7]);
  });
});

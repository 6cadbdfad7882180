import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

/** A key of the right form, different each time. */
function keyLine(n: number, comment = `key ${n}`): string {
  const parts = [Buffer.from('ssh-ed25519'), Buffer.alloc(32, String(n).padStart(4, '0'))];
  const blob = parts.flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  return `ssh-ed25519 ${Buffer.concat(blob).toString('base64')} ${comment}`;
}

const add = (key: string) => server.call('/api/users/public_keys/add', { key });

describe('public keys that users register', () => {
  it.each([
    ['speaks to a terminal', keyLine(1, 'me\u001b[2J')],
    ['has a second line', `${keyLine(1)}\n${keyLine(2)}`],
    ['is too long', keyLine(1, 'x'.repeat(8192))],
  ])('are not a line that %s', async (_what, key) => {
    const { status, body } = await add(key);
    expect([status, body.detail[0].msg]).toEqual([
      400,
      'Invalid public key, must be in OpenSSH public key format',
    ]);
  });

  it('are limited to a hundred for each user', async () => {
    for (let n = 0; n < 100; n++) expect((await add(keyLine(n))).status).toBe(200);
    const late = await add(keyLine(100));
    expect([late.status, late.body.detail[0].msg]).toEqual([
      400,
      expect.stringContaining('may have 100 public keys'),
    ]);
    const listed = await server.call('/api/users/public_keys/list');
    await server.call('/api/users/public_keys/delete', { ids: [listed.body[0].id] });
    expect((await add(keyLine(100))).status).toBe(200);
  });
});

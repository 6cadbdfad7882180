import { gunzipSync } from 'node:zlib';
import Fastify from 'fastify';
import { expect, it } from 'vitest';
import { sendJsonPieces } from './json-answer.ts';

async function answer(bytes: number, accepted: string | undefined) {
  const app = Fastify();
  const pieces = [Buffer.from('["'), Buffer.alloc(bytes - 4, 'a'), Buffer.from('"]')];
  app.get('/', async (request, reply) =>
    sendJsonPieces(reply, pieces, request.headers['accept-encoding']),
  );
  const headers = accepted === undefined ? {} : { 'accept-encoding': accepted };
  const response = await app.inject({ method: 'GET', url: '/', headers });
  await app.close();
  const { rawPayload } = response;
  const encoding = response.headers['content-encoding'];
  return {
    encoding,
    vary: response.headers.vary,
    sent: rawPayload.length,
    json: (encoding === 'gzip' ? gunzipSync(rawPayload) : rawPayload).toString(),
  };
}

const whole = (bytes: number) => `["${'a'.repeat(bytes - 4)}"]`;

it.each([8192, 300_000, 3_000_000])(
  'compresses an answer of %i bytes for who accepts it',
  async (bytes) => {
    const found = await answer(bytes, 'gzip, deflate, br');
    expect(found).toMatchObject({ encoding: 'gzip', vary: 'accept-encoding' });
    expect(found.sent).toBeLessThan(bytes / 10);
    expect(found.json).toBe(whole(bytes));
  },
);

it.each([
  ['a small answer', 8191, 'gzip'],
  ['an answer to a client that does not accept it', 300_000, undefined],
  ['an answer to a client that refuses it', 300_000, 'gzip;q=0, identity'],
  ['a large answer to a client that does not accept it', 3_000_000, undefined],
])('sends %s as it is', async (_what, bytes, accepted) => {
  const found = await answer(bytes, accepted);
  expect(found.encoding).toBeUndefined();
  expect(found.json).toBe(whole(bytes));
});

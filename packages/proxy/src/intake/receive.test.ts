import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { RefusedBody } from './body-refusal.ts';
import { receive } from './receive.ts';

const PACE = { graceMs: 60_000, bytesPerSecond: 1 };

function request(headers: Record<string, string> = {}) {
  const stream = new PassThrough();
  return { stream, request: Object.assign(stream, { headers }) as unknown as IncomingMessage };
}

describe('receiving a body', () => {
  it('passes one piece after another, and ends after the last one', async () => {
    const { stream, request: body } = request();
    const seen: string[] = [];
    const all = receive(body, { limit: 100, pace: PACE }, async (piece) => {
      seen.push(`begin ${piece}`);
      for (let i = 0; i < 5; i++) await setImmediate();
      seen.push(`end ${piece}`);
    });
    stream.write('a');
    await setImmediate();
    stream.write('b');
    stream.end('c');
    await all;
    expect(seen.join()).toMatch(/^begin a,end a,begin .*,end b?c$/);
    expect(seen.filter((one) => one.startsWith('begin'))).toHaveLength(seen.length / 2);
  });

  it('fails with the error of its consumer', async () => {
    const { stream, request: body } = request();
    const failing = receive(body, { limit: 100, pace: PACE }, () =>
      Promise.reject(new Error('full')),
    );
    stream.end('a');
    await expect(failing).rejects.toThrow('full');
  });

  it('reports an end that came too early', async () => {
    const { stream, request: body } = request();
    const cut = receive(body, { limit: 100, pace: PACE }, () => {});
    stream.write('a');
    stream.destroy();
    await expect(cut).rejects.toThrow(RefusedBody);
  });

  it('distinguishes a client that has disconnected from an error of the server', async () => {
    const { stream, request: body } = request();
    const cut = receive(body, { limit: 100, pace: PACE }, () => {});
    stream.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
    await expect(cut).rejects.toMatchObject({ refusal: { kind: 'cut-off' } });
  });

  it('reads nothing of a body that is too long by its stated length', async () => {
    const { request: body } = request({ 'content-length': '101' });
    const refused = receive(body, { limit: 100, pace: PACE }, () => {
      throw new Error('taken');
    });
    await expect(refused).rejects.toMatchObject({ refusal: { kind: 'too-large', stated: 101 } });
  });
});

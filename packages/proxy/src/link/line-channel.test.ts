import { duplexPair } from 'node:stream';
import { expect, it } from 'vitest';
import { ProxyRefusal } from '../refusals/refusal.ts';
import { LineChannel } from './line-channel.ts';
import { ChannelClosed, type Handlers } from './worker-channel.ts';

function pair(handlers: Handlers) {
  const [a, b] = duplexPair();
  return { here: new LineChannel(a, {}), there: new LineChannel(b, handlers), raw: a };
}

it('answers requests in any order, with values and with errors', async () => {
  const first = Promise.withResolvers<string>();
  const { here } = pair({
    slow: () => first.promise,
    fast: ({ n }) => n + 1,
    fails: () => {
      throw new ProxyRefusal(403, 'no', { code: 'refused', retryAfter: 7, needsSignIn: true });
    },
  });
  const slow = here.ask('slow', {});
  expect(await here.ask('fast', { n: 1 })).toBe(2);
  first.resolve('late');
  expect(await slow).toBe('late');
  const failure = await here.ask('fails', {}).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ProxyRefusal);
  expect(failure).toMatchObject({ status: 403, message: 'no', code: 'refused', retryAfter: 7 });
  expect(failure).toMatchObject({ needsSignIn: true });
  await expect(here.ask('unknown', {})).rejects.toThrow('unknown request unknown');
});

it('receives messages whose bytes come in pieces', async () => {
  const seen: unknown[] = [];
  const { raw, here } = pair({ word: (data) => seen.push(data) });
  const bytes = Buffer.from(`${JSON.stringify({ type: 'word', data: 'ä' })}\n`.repeat(2));
  for (const byte of bytes) raw.write(Buffer.of(byte));
  here.notify('word', 'last');
  while (seen.length < 3) await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual(['ä', 'ä', 'last']);
});

it('rejects what is unanswered when the other side disconnects, and closes on nonsense', async () => {
  const { here, there } = pair({ never: () => new Promise(() => {}) });
  const asked = here.ask('never', {});
  there.close();
  await expect(asked).rejects.toThrow(ChannelClosed);
  await expect(here.ask('never', {})).rejects.toThrow(ChannelClosed);
  const other = pair({});
  other.raw.write('GET / HTTP/1.1\n');
  await other.there.closed;
});

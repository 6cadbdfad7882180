import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { NoticeSource } from '@dstack/contract/agent';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createEventLogger } from '../log.ts';
import { askMetadata } from './ask-metadata.ts';
import { MetadataWatch, type NoticeFrame } from './metadata-watch.ts';
import { noticeIn } from './notice-in.ts';

const TIME = '2026-12-01T10:02:00Z';
const NOW = Date.parse('2026-12-01T10:00:00Z');
const EC2: NoticeSource = {
  ...{ url: 'http://169.254.169.254/action', headers: { 'x-any': 'yes' } },
  token: { url: 'http://169.254.169.254/token', headers: { ttl: '60' }, header: 'x-token' },
  ...{ interval_secs: 5, leaves_secs: 120, equals: null, at: 'time', reason: 'action' },
};
const GCE: NoticeSource = { ...EC2, token: null, equals: 'TRUE', at: null, reason: null };
const answer = (text: string, more: object = {}) => ({ status: 200, text, time: null, ...more });

describe('an answer of a metadata service', () => {
  const found = (text: string, more: object = {}, source = EC2, wall = NOW) =>
    noticeIn(answer(text, more), source, wall);
  const terminate = JSON.stringify({ action: 'terminate', time: TIME });

  it('announces the end of the machine with the provider’s word and time', () => {
    expect(found(terminate)).toEqual({ reason: 'terminate', at: TIME, leftSecs: 120 });
    expect(found('TRUE\n', {}, { ...GCE, leaves_secs: 30 })).toEqual({
      ...{ reason: 'preempted', at: null, leftSecs: 30 },
    });
  });

  it('counts the time that is left by the clock of the service, if it shows it', () => {
    const time = Date.parse(TIME) - 90_000;
    expect(found(terminate, { time }, EC2, NOW + 86_400_000)?.leftSecs).toBe(90);
  });

  it('leaves no more time than the provider ever does, and none at the worst', () => {
    expect(found(terminate, {}, EC2, NOW - 86_400_000)?.leftSecs).toBe(120);
    expect(found(terminate, {}, EC2, Date.parse(TIME) + 60_000)?.leftSecs).toBe(0);
  });

  it.each([
    ['404', 'not found', { status: 404 }],
    ['a redirect', terminate, { status: 302 }],
    ['nothing', '', {}],
    ['text', 'terminate', {}],
    ['null', 'null', {}],
    ['another type', '{"time": 5}', {}],
    ['no time', '{"action": "terminate"}', {}],
    ['not a time', '{"time": "soon"}', {}],
    ['a time long ago', '{"time": "2017-09-18T08:22:00Z"}', {}],
    ['a list', '[1]', {}],
  ])('that is nonsense ends nothing: %s', (_, text, more) => {
    expect(found(text, more)).toBeNull();
  });

  it('that is another word ends nothing', () => {
    for (const text of ['FALSE', '', 'TRUE TRUE']) expect(found(text, {}, GCE)).toBeNull();
  });
});

describe('a metadata service', () => {
  let server: Server | null = null;
  afterEach(() => {
    server?.close();
    server?.closeAllConnections();
    server = null;
  });

  async function ask(listener: RequestListener, limitMs = 2000) {
    server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    return await askMetadata({ url, method: 'GET', headers: {} }, limitMs);
  }

  it('that answers is read with its time', async () => {
    const { status, text, time } = await ask((_, response) => void response.end('TRUE'));
    expect([status, text, typeof time]).toEqual([200, 'TRUE', 'number']);
  });

  it('that never stops sending is cut off', async () => {
    const endless: RequestListener = (_, response) => {
      const send = () => void (response.write('x'.repeat(65_536)) ? setImmediate(send) : null);
      response.on('drain', send).on('error', () => {});
      send();
    };
    await expect(ask(endless)).rejects.toThrow('more than 16384 bytes');
  });

  it('that answers nothing, or never to its end, is given up', async () => {
    await expect(ask(() => {}, 20)).rejects.toThrow('within 20 ms');
    server?.closeAllConnections();
    await expect(ask((_, response) => void response.write('{'), 20)).rejects.toThrow('within 20');
  });

  it('that leads elsewhere is not followed, and one that is not there is an error', async () => {
    const elsewhere: RequestListener = (_, response) =>
      void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    expect((await ask(elsewhere)).status).toBe(302);
    const gone = { url: 'http://127.0.0.1:1/', method: 'GET', headers: {} } as const;
    await expect(askMetadata(gone)).rejects.toThrow();
    await expect(askMetadata({ ...gone, url: 'ftp://127.0.0.1/' })).rejects.toThrow();
  });
});

describe('the watch of an agent', () => {
  afterEach(() => void vi.useRealTimers());

  function watching(...answers: (() => object)[]) {
    vi.useFakeTimers();
    const calls: object[] = [];
    const frames: NoticeFrame[] = [];
    const notices = new MetadataWatch({
      onNotice: (frame) => void frames.push(frame),
      log: createEventLogger(() => {}),
      ask: async (call) => {
        calls.push(call);
        if (call.url.endsWith('/token')) return answer(`token-${calls.length}`);
        return answer('', (answers.shift() ?? (() => ({ status: 404 })))());
      },
      monotonic: () => Date.now(),
      wall: () => NOW,
    });
    return { notices, calls, frames };
  }

  const terminate = () => ({ text: JSON.stringify({ action: 'terminate', time: TIME }) });
  const fails = () => {
    throw new Error('refused');
  };

  it('asks with a token again and again until the machine is taken back, and then no more', async () => {
    const { notices, calls, frames } = watching(
      ...[() => ({ status: 404 }), fails, () => ({ status: 401 }), terminate],
    );
    notices.watch({ sources: [EC2] });
    expect(notices.frame).toBeNull();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(frames).toEqual([{ type: 'notice', reason: 'terminate', at: TIME, left_secs: 120 }]);
    const [token, action, ...later] = calls;
    expect(token).toEqual({ url: EC2.token?.url, method: 'PUT', headers: { ttl: '60' } });
    const headers = { 'x-any': 'yes', 'x-token': 'token-1' };
    expect(action).toEqual({ url: EC2.url, method: 'GET', headers });
    // The same token, then a new one after an error, and after one that is refused.
    expect(later).toHaveLength(5);
    // A new connection of the server reports what is left by then.
    expect(notices.frame?.left_secs).toBeCloseTo(120 - 45, 5);
    notices.close();
  });

  it('goes on as it was when the server sends the same again, and ends with it', async () => {
    const { notices, calls } = watching();
    notices.watch({ sources: [GCE] });
    await vi.advanceTimersByTimeAsync(12_000);
    notices.watch({ sources: [{ ...GCE }] });
    await vi.advanceTimersByTimeAsync(1000);
    expect(calls).toHaveLength(3);
    notices.watch({ sources: [] });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(calls).toHaveLength(3);
  });
});

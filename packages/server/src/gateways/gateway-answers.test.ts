import { once } from 'node:events';
import { Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { SetDnsRecord } from './dns-hook.ts';
import {
  GatewayAnswers,
  type GatewayAnswersOptions,
  type GatewayAsker,
} from './gateway-answers.ts';
import type { GatewayLink } from './gateway-link.ts';
import { GatewayReach } from './gateway-reach.ts';

const QUESTION = {
  ...{ type: 'tunnel' as const, id: 'c0b8b1c6-6f7d-4c1b-9b7e-0a9b3c1d2e3f', host_id: 'host' },
  ...{ job_id: '7d5f0a3e-2b1c-4d8e-9f60-1a2b3c4d5e6f', port: 8000 },
} as const;

const askerOf = (link: Partial<GatewayLink>, more: Partial<GatewayAsker> = {}): GatewayAsker =>
  ({
    ...{ link, carried: { tunnels: new Set(), opening: 0, records: 0, warned: new Set() } },
    ...more,
  }) as Partial<GatewayAsker> as GatewayAsker;

it('ends the request of a gateway if the replica is lost while its connection is made', async () => {
  const [replica] = duplexPair();
  const [toGateway] = duplexPair();
  const answers = new GatewayAnswers({
    open: async () => replica,
  } as Partial<GatewayAnswersOptions> as GatewayAnswersOptions);
  const link = {
    openTunnel: async () => {
      replica.destroy();
      await new Promise((resolve) => replica.once('close', resolve));
      return toGateway;
    },
  } as Partial<GatewayLink> as GatewayLink;
  await answers.answer(askerOf(link), QUESTION);
  expect(toGateway.destroyed).toBe(true);
});

/** A connection that takes each chunk a while after the next one was offered. */
function slowConnection(): { readonly stream: Duplex; readonly received: () => string } {
  let received = '';
  const stream = new Duplex({
    read() {},
    async write(chunk, _encoding, done) {
      for (let n = 0; n < 5; n++) await turn();
      received += chunk;
      done();
    },
  });
  return { stream, received: () => received };
}

it('passes on the whole answer of a replica that closes its connection after it', async () => {
  const { stream, received } = slowConnection();
  const replica = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const answers = new GatewayAnswers({
    open: async () => replica,
  } as Partial<GatewayAnswersOptions> as GatewayAnswersOptions);
  const link = { openTunnel: async () => stream } as Partial<GatewayLink> as GatewayLink;
  await answers.answer(askerOf(link), QUESTION);
  for (const part of ['HTTP/1.1 200 OK\r\n', '\r\n', 'page']) replica.push(part);
  replica.push(null);
  replica.end();
  await Promise.race([once(stream, 'finish'), once(stream, 'close')]);
  expect(received()).toBe('HTTP/1.1 200 OK\r\n\r\npage');
});

it('reports at once that the way back to a gateway could not be opened', async () => {
  const [replica] = duplexPair();
  const sent: object[] = [];
  const answers = new GatewayAnswers({
    open: async () => replica,
  } as Partial<GatewayAnswersOptions> as GatewayAnswersOptions);
  const link = {
    openTunnel: async () => {
      throw new Error('the host is not connected');
    },
    send: (frame: object) => sent.push(frame),
  } as unknown as GatewayLink;
  await answers.answer(askerOf(link), QUESTION);
  expect(sent).toEqual([
    { type: 'no-tunnel', id: QUESTION.id, error: 'the host is not connected' },
  ]);
  expect(replica.destroyed).toBe(true);
});

it('admits tokens for single services only at gateways that obey the limit', async () => {
  const sent: object[] = [];
  const answers = new GatewayAnswers({} as GatewayAnswersOptions);
  const ids = { userId: 'u', projectId: 'p', projectName: 'main', token: null };
  const admit = async () => ({ name: 'ann', services: ['web'], expiresAt: 5, ...ids });
  const link = { send: (frame: object) => sent.push(frame) } as unknown as GatewayLink;
  const caller = { project: 'main', method: 'GET', authorization: 'Bearer x', address: '::1' };
  for (const limits of [true, null]) {
    const question = { type: 'admit', n: 1, ...caller, limits } as const;
    await answers.answer(askerOf(link, { admit }), question);
  }
  expect(sent).toMatchObject([
    { user: 'ann', services: ['web'], status: 200, expires_at: 5 },
    { user: null, services: null, status: 503 },
  ]);
});

it('the record of a certificate is refused with the cause', async () => {
  const errorOf = async (setRecord: SetDnsRecord | null, records = 0) => {
    const sent: { error: string | null }[] = [];
    const answers = new GatewayAnswers({
      ...{ setRecord, log: { info: () => {} }, proofOf: async () => ({ kind: 'proven' }) },
    } as unknown as GatewayAnswersOptions);
    const send = (frame: object) => sent.push(frame as never);
    const carried = { tunnels: new Set<Duplex>(), opening: 0, records, warned: new Set<string>() };
    const reach = new GatewayReach(Date.now);
    const name = '_acme-challenge.apps.test';
    const question = { type: 'dns', n: 1, action: 'add', name, value: 'v' } as const;
    await answers.answer(askerOf({ send } as Partial<GatewayLink>, { carried, reach }), question);
    return sent[0]?.error;
  };
  const failing = async () => {
    throw new Error('exit code 7');
  };
  expect(await errorOf(failing)).toBe('exit code 7');
  expect(await errorOf(null)).toMatch(/DSTACK_ACME_DNS_HOOK/);
  expect(await errorOf(async () => {}, 8)).toBe(
    'the server already sets 8 records for this gateway',
  );
  expect(await errorOf(async () => {})).toBeNull();
});

it('stores the deliveries of a gateway in their order, so that none that is repeated counts twice', async () => {
  const stall = Promise.withResolvers<void>();
  const stored: (string | undefined)[] = [];
  let reads = 0;
  const store = {
    projects: {
      byNames: async () => {
        reads += 1;
        if (reads === 1) await stall.promise;
        return [];
      },
    },
    users: { byNames: async () => [] },
    modelUsage: {
      add: async (_uses: unknown, delivery: { readonly batch: string } | null) => {
        stored.push(delivery?.batch);
      },
    },
  } as unknown as GatewayAnswersOptions['store'];
  const answers = new GatewayAnswers({ store } as GatewayAnswersOptions);
  const sent: object[] = [];
  const replica = { id: 'r', gatewayId: 'g' };
  const link = { replica, send: (frame: object) => sent.push(frame) } as unknown as GatewayLink;
  const asker = askerOf(link, { reach: new GatewayReach(() => 0) });
  const deliver = (n: number, batch: string) =>
    answers.answer(asker, { type: 'usage', n, batch, uses: [] });
  // The database is slow, so the gateway sends it again, and then the next one.
  const all = [deliver(1, 'first'), deliver(2, 'first'), deliver(3, 'second')];
  for (let n = 0; n < 5; n++) await turn();
  stall.resolve();
  await Promise.all(all);
  expect(stored).toEqual(['first', 'first', 'second']);
  expect(sent).toMatchObject([{ n: 1 }, { n: 2 }, { n: 3 }]);
});

it('an error while a delivery is stored delays none of the later ones', async () => {
  const answers = new GatewayAnswers({
    store: {
      services: {
        addRequests: async (_owner: string, counts: readonly unknown[]) => {
          if (counts.length === 0) throw new Error('no database');
        },
      },
    },
  } as unknown as GatewayAnswersOptions);
  const sent: object[] = [];
  const link = { replica: { id: 'r' }, send: (frame: object) => sent.push(frame) };
  const asker = askerOf(link as unknown as GatewayLink);
  const counts = { type: 'counts' as const, waiting: [], batch: 'b', sent_at: null };
  const failing = answers.answer(asker, { ...counts, n: 1, counts: [] });
  const next = answers.answer(asker, {
    ...{ ...counts, n: 2 },
    counts: [{ run_id: QUESTION.job_id, second: 1, requests: 1 }],
  });
  await expect(failing).rejects.toThrow('no database');
  expect(await next).toBe(true);
  expect(sent).toEqual([{ type: 'counted', n: 2 }]);
});

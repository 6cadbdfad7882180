/** A program of a gateway that lies, at a real server: every kind of message about what is not its own. */
import { randomUUID } from 'node:crypto';
import type { GatewayFrame } from '@dstack/contract/agent';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KEY, OWN } from '../http/gateways/testing/pems.ts';
import type { FrameOf, FrameType } from './bound-frames.ts';
import { type LinkedGateway, linkedGateway } from './testing/linked-gateway.ts';

let world: LinkedGateway;
beforeEach(async () => {
  world = await linkedGateway();
});
afterEach(async () => {
  await world.close();
});

const now = () => Math.floor(Date.now() / 1000);
const today = () => Math.floor(Date.now() / 86_400_000);
const NONE = { answered: {}, slices: [] };

const use = (more: object = {}) => ({
  ...{ project: 'main', user: 'admin', model: 'parrot', day: today(), requests: 1, aborted: 0 },
  ...{ estimated: 0, prompt_tokens: 3, completion_tokens: 4, ...more },
});
const usage = (n: number, uses: readonly object[], batch = randomUUID()) => ({
  ...{ type: 'usage', n, batch, uses },
});
const counts = (n: number, run_id: string, more: object = {}) => ({
  ...{ type: 'counts', n, batch: randomUUID(), counts: [{ run_id, second: now(), requests: 5 }] },
  ...{ waiting: [], ...more },
});
const admit = (n: number, more: object = {}) => ({
  ...{ type: 'admit', n, project: 'main', method: 'GET', limits: true, address: '192.0.2.7' },
  ...{ authorization: `Bearer ${world.server.token}`, ...more },
});
const tunnel = (more: object = {}) => ({
  ...{ type: 'tunnel', id: randomUUID(), host_id: 'local', job_id: world.own.jobId, port: 8000 },
  ...more,
});
const dns = (n: number, name: string) => ({
  ...{ type: 'dns', n, action: 'add', name, value: 'x'.repeat(43) },
});

async function usageOf(project: string): Promise<readonly unknown[]> {
  const { projects, modelUsage } = world.server.store;
  const id = (await projects.byName(project))?.id ?? '';
  const rows = await modelUsage.list(id, 0, today() + 10);
  return rows.map(({ userName, model, requests }) => [userName, model, requests]);
}

interface Attempt<T extends FrameType> {
  readonly name: string;
  /** A message about foreign things, as it is on the wire. */
  readonly send: () => Omit<FrameOf<T>, 'type'> & { readonly type: T };
  /** Checks that the state is the same as if the message had not been sent. */
  readonly unchanged: () => Promise<void>;
  readonly isCounted?: boolean;
}
const attempt = <T extends FrameType>(
  _type: T,
  name: string,
  send: () => object,
  unchanged: () => Promise<void>,
  isCounted = true,
): Attempt<T> => ({ name, send: send as Attempt<T>['send'], unchanged, isCounted });

const answered = async (part: Readonly<Record<string, unknown>>) =>
  await world.program.receives(part);

/** A new kind of message does not compile until something hostile is tried with it. */
const ATTEMPTS: { readonly [T in FrameType]: readonly Attempt<T>[] } = {
  status: [
    attempt(
      'status',
      'shows certificates of names that do not lead to it',
      () => ({
        ...{ type: 'status', state: 'ready', text: null, version: '1', public_key: null },
        certificates: ['own.apps.test', 'foreign.other.test', 'bank.test'].map((domain) => ({
          ...{ domain, source: 'acme', state: 'expired', message: null },
        })),
      }),
      async () => {
        const view = await world.server.store.gateways.byId(world.gatewayId);
        const shown = view?.reports.flatMap(({ certificates }) => certificates);
        expect(shown?.map(({ domain }) => domain)).toEqual(['own.apps.test']);
      },
      false,
    ),
  ],
  issued: [
    attempt(
      'issued',
      'shares a certificate for the name of another',
      () => ({
        type: 'issued',
        certificates: [{ domain: '*.apps.example.com', certificate: OWN, key: KEY }],
      }),
      async () => {
        const { gateways } = world.server.store;
        expect(await gateways.issuedCertificates(world.gatewayId)).toEqual([]);
      },
      false,
    ),
  ],
  admit: [
    attempt(
      'admit',
      'tries a valid token at a project that has nothing behind it',
      () => admit(7, { project: 'lab' }),
      async () => {
        expect(await answered({ type: 'admitted', n: 7 })).toMatchObject({
          ...{ user: null, status: 403 },
          detail: 'Unauthenticated or unauthorized to access project lab',
        });
      },
    ),
  ],
  'is-token': [
    attempt(
      'is-token',
      'asks whether a guess is a token',
      () => ({ type: 'is-token', n: 7, text: 'guess' }),
      async () => {
        expect(await answered({ type: 'token', n: 7 })).toMatchObject({ own: false });
      },
      false,
    ),
  ],
  rate: [
    attempt(
      'rate',
      'takes from the rate of a service behind another gateway',
      () => ({
        ...{ type: 'rate', n: 7, run_id: world.foreign.id, key: 'k' },
        ...{ rps: 1, burst: 0, most: 1 },
      }),
      async () => {
        expect(await answered({ type: 'taken', n: 7 })).toMatchObject({ granted: 0 });
      },
    ),
  ],
  counts: [
    attempt(
      'counts',
      'books requests to a service behind another gateway, and wakes it',
      () => counts(7, world.foreign.id, { waiting: [world.foreign.id] }),
      async () => {
        await answered({ type: 'counted', n: 7 });
        expect(world.booked).toEqual([]);
      },
    ),
    attempt(
      'counts',
      'books requests to a service without a gateway',
      () => counts(7, world.inner.id),
      async () => {
        await answered({ type: 'counted', n: 7 });
        expect(world.booked).toEqual([]);
      },
    ),
  ],
  usage: [
    ...[
      { model: 'owl' },
      { project: 'lab' },
      { user: 'bob' },
      { user: 'nobody' },
      { project: 'missing' },
    ].map((more) =>
      attempt(
        'usage',
        `books tokens to ${JSON.stringify(more)}`,
        () => usage(7, [use(more), use({ model: 'parrot' })]),
        async () => {
          await answered({ type: 'used', n: 7 });
          expect(await usageOf('main')).toEqual([['admin', 'parrot', 1]]);
          expect(await usageOf('lab')).toEqual([]);
        },
      ),
    ),
  ],
  load: [
    attempt(
      'load',
      'reports load of a service behind another gateway',
      () => ({
        ...{ type: 'load', worker: 'w' },
        slots: [
          {
            ...{ run_id: world.foreign.id, slot: Math.floor(now() / 5), busy_ms: 9 },
            latencies: { 3: 1 },
          },
        ],
      }),
      async () => expect(world.booked).toEqual([]),
    ),
  ],
  figures: [
    attempt(
      'figures',
      'reports figures of a service behind another gateway',
      () => ({
        type: 'figures',
        services: [
          {
            ...{ run_id: world.foreign.id, in_flight: 9, held: 9, ejected: 1 },
            ...{ requests: NONE, mirrored: NONE },
          },
        ],
      }),
      async () => {
        expect(await world.parts.figures.states()).toEqual([]);
      },
    ),
  ],
  accessed: [
    attempt(
      'accessed',
      'answers a question that it was not asked',
      () => ({
        ...{ type: 'accessed', n: 1 },
        pages: [{ process: 'p', next: 0, skipped: 0, records: [] }],
      }),
      async () => {
        expect(world.parts.access.isAsked(world.replicaId, 1)).toBe(false);
      },
    ),
  ],
  log: [
    attempt(
      'log',
      'answers a question that it was not asked',
      () => ({ type: 'log', n: 1, next: '0', skipped: false, lines: [] }),
      async () => {
        expect(world.parts.questions.isAsked(world.replicaId, 'log', 1)).toBe(false);
      },
    ),
  ],
  renewing: [
    attempt(
      'renewing',
      'answers a question that it was not asked',
      () => ({ type: 'renewing', n: 1, domains: ['bank.test'] }),
      async () => {
        expect(world.parts.questions.isAsked(world.replicaId, 'renewing', 1)).toBe(false);
      },
    ),
  ],
  why: [
    attempt(
      'why',
      'asks why a service behind another gateway does not answer',
      () => ({ type: 'why', n: 7, run_id: world.foreign.id }),
      async () => {
        expect(await answered({ type: 'because', n: 7 })).toMatchObject({ status: 404 });
      },
    ),
  ],
  dns: ['other.test', 'foreign.other.test', 'bank.test', 'test', 'api.apps.test'].map((name) =>
    attempt(
      'dns',
      `wants a record for ${name}`,
      () => dns(7, `_acme-challenge.${name}`),
      async () => {
        const { error } = (await answered({ type: 'dns-done', n: 7 })) as { error: string };
        expect(error).toBe(`${name} is no name of a service of this gateway`);
        expect(world.records).toEqual([]);
      },
    ),
  ),
  idle: [
    attempt(
      'idle',
      'reports a job without requests that is not being stopped',
      () => ({ type: 'idle', job_id: world.own.jobId }),
      async () => {
        // The server still waits for the gateway when the job is stopped.
        expect(world.links.leave(world.own.jobId, () => {})).toBe(false);
      },
    ),
  ],
  avoided: (['foreign', 'own'] as const).map((run) =>
    attempt(
      'avoided',
      `reports a replica behind another gateway, as one of a run of ${run === 'own' ? 'its own' : 'that'}, that answers with errors`,
      () => {
        const ids = { run_id: world[run].id, job_id: world.foreign.jobId };
        return { type: 'avoided', ...ids, ms: 5000, errors: 5, rate: null, others: null };
      },
      async () => expect(world.avoided).toEqual([]),
    ),
  ),
  tunnel: [
    attempt(
      'tunnel',
      'wants another port of its own job',
      () => tunnel({ port: 8888 }),
      async () => expect(world.opened).toEqual([]),
    ),
    attempt(
      'tunnel',
      'wants its own job at another host',
      () => tunnel({ host_id: 'elsewhere' }),
      async () => expect(world.opened).toEqual([]),
    ),
    attempt(
      'tunnel',
      'wants the job of a service behind another gateway',
      () => tunnel({ job_id: world.foreign.jobId }),
      async () => expect(world.opened).toEqual([]),
    ),
    attempt(
      'tunnel',
      'wants the job of a service without a gateway',
      () => tunnel({ job_id: world.inner.jobId }),
      async () => expect(world.opened).toEqual([]),
    ),
  ],
};

describe('a gateway that lies', () => {
  const all = Object.entries(ATTEMPTS).flatMap(([type, attempts]) =>
    (attempts as readonly Attempt<FrameType>[]).map((one) => ({ type, ...one })),
  );

  it.each(all)('changes nothing: $type $name', async ({ type, send, unchanged, isCounted }) => {
    await world.server.call('/api/projects/create', { project_name: 'lab' });
    await world.server.call('/api/users/create', { username: 'bob', global_role: 'user' });
    world.program.send(send() as GatewayFrame);
    await world.settled();
    await unchanged();
    expect(world.refused).toEqual(isCounted ? [type] : []);
    expect(world.program.isLinked).toBe(true);
  });
});

/** Messages of a gateway's program about what is not its own, and about times and numbers that cannot be. */
import type { GatewayFrame } from '@dstack/contract/agent';
import type { Random } from '@dstack/testkit/random';
import { KEY, OWN } from '../../http/gateways/testing/pems.ts';

/** Things that do not belong to the gateway; those that do not exist yet are made up. */
export interface Foreign {
  readonly runId: string;
  readonly jobId: string;
  readonly hostId: string;
  readonly project: string;
  readonly model: string;
  /** A user who is in no project. */
  readonly stranger: string;
  /** A host name of a service of another gateway. */
  readonly host: string;
}

export interface LieParts {
  readonly random: Random;
  readonly foreign: Foreign;
  /** Number of the message, for its answer. */
  readonly n: number;
  /** Seconds. */
  readonly now: number;
}

type Lie = GatewayFrame['type'] | 'malformed';

/** A new kind of message does not compile until there is a lie of its kind. */
const WEIGHTS: Readonly<Record<Lie, number>> = {
  ...{ usage: 4, counts: 4, load: 2, figures: 1, tunnel: 3, idle: 1, avoided: 2, why: 1, dns: 2 },
  ...{ issued: 1, status: 1, accessed: 0.5, log: 0.5, renewing: 0.5, admit: 1, 'is-token': 0.5 },
  ...{ rate: 0.5, malformed: 0.2 },
};

export function lie(parts: LieParts): object {
  const { random, foreign, n, now } = parts;
  const type = random.weighted(WEIGHTS);
  const second = now + (random.pick([0, -10_000, 1e9, -5]) ?? 0);
  const batch = random.uuid();
  switch (type) {
    case 'usage':
      // Without a batch: only the last one is stored, so a true batch that is repeated after this would count twice.
      return { type, n, batch: null, uses: [foreignUse(parts)] };
    case 'counts': {
      const counts = [{ run_id: foreign.runId, second, requests: random.whole(1, 1e6) }];
      return { type, n, batch, counts, waiting: [foreign.runId] };
    }
    case 'load': {
      const slot = Math.floor(second / 5);
      const slots = [{ run_id: foreign.runId, slot, busy_ms: 5000, latencies: { 3: 9 } }];
      return { type, worker: 'w', slots };
    }
    case 'rate':
      return { type, n, run_id: foreign.runId, key: 'k', rps: 1, burst: 0, most: 1 };
    case 'figures': {
      const nothing = { answered: {}, slices: [] };
      const figures = { in_flight: 9, held: 9, ejected: 1, requests: nothing, mirrored: nothing };
      return { type, services: [{ run_id: foreign.runId, ...figures }] };
    }
    case 'tunnel': {
      const { hostId: host_id, jobId: job_id } = foreign;
      return { type, id: batch, host_id, job_id, port: random.pick([80, 22, 8888]) };
    }
    case 'idle':
      return { type, job_id: foreign.jobId };
    case 'avoided': {
      const { runId: run_id, jobId: job_id } = foreign;
      return { type, run_id, job_id, ms: 5000, errors: 5, rate: null, others: null };
    }
    case 'why':
      return { type, n, run_id: foreign.runId };
    case 'dns': {
      const name = `_acme-challenge.${random.pick([foreign.host, 'bank.test'])}`;
      return { type, n, action: 'add', name, value: 'x'.repeat(43) };
    }
    case 'issued': {
      const domain = random.pick([foreign.host, '*.bank.test']);
      return { type, certificates: [{ domain, certificate: OWN, key: KEY }] };
    }
    case 'status': {
      const certificate = { source: 'acme', state: 'expired', message: null };
      const certificates = [foreign.host, 'bank.test'].map((domain) => ({
        domain,
        ...certificate,
      }));
      const shown = { state: 'ready', text: null, version: '1', public_key: null };
      return { type, ...shown, certificates };
    }
    case 'accessed': {
      const page = { process: 'p', next: 0, skipped: 0, records: [] };
      return { type, n, pages: [page] };
    }
    case 'log':
      return { type, n, next: '0', skipped: false, lines: [] };
    case 'renewing':
      return { type, n, domains: ['bank.test'] };
    case 'admit': {
      const asked = { method: 'GET', limits: true, address: '192.0.2.7' };
      return { type, n, project: foreign.project, authorization: `Bearer ${batch}`, ...asked };
    }
    case 'is-token':
      return { type, n, text: batch };
    case 'malformed':
      return { type: 'counts', n, batch, counts: [{ run_id: foreign.runId, second: -1 }] };
  }
}

/** The same as part of a message that is true otherwise. */
export function foreignUse({ random, foreign, now }: LieParts): object {
  const day = Math.floor(now / 86_400) + (random.pick([0, 500, -500]) ?? 0);
  const counts = { requests: random.whole(1, 100), aborted: 0, estimated: 0 };
  const tokens = { prompt_tokens: random.whole(1, 1e6), completion_tokens: 5 };
  const user = random.pick(['ann', 'nobody', foreign.stranger]);
  return { project: foreign.project, user, model: foreign.model, day, ...counts, ...tokens };
}

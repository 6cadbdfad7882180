/** Limits each message of a gateway to the services and jobs that the server has sent to this gateway. */
import type { GatewayCommand, GatewayCounts, GatewayFrame } from '@dstack/contract/agent';
import { LOAD_SLOT } from '@dstack/contract/load';
import type { Id } from '@dstack/core';
import { SLICE_MS } from '@dstack/proxy';
import type { GatewayReach } from './gateway-reach.ts';

export type FrameType = GatewayFrame['type'];
export type FrameOf<T extends FrameType> = Extract<GatewayFrame, { type: T }>;

export interface FrameBinding {
  readonly reach: GatewayReach;
  /** Domains of certificates that people have set for the gateway; `*.` and a name too. */
  readonly files: ReadonlySet<string>;
  /** Whether the server waits for the answer with this number over this link. */
  readonly isAsked: (type: 'accessed' | 'log' | 'renewing', n: number) => boolean;
  /** Whether the server waits until the job has no requests. */
  readonly isDraining: (jobId: Id) => boolean;
  /** Milliseconds. */
  readonly now: number;
}

/** `isForeign`: the message names what the gateway has nothing to do with. */
export type BoundFrame<T extends FrameType = FrameType> =
  /** The message reduced to the gateway's own part. */
  | { readonly frame: FrameOf<T>; readonly isForeign: boolean }
  /** The whole message is ignored. `answer`: the reply to the gateway; null = no reply. */
  | { readonly frame: null; readonly isForeign: boolean; readonly answer: GatewayCommand | null };

type Bind<T extends FrameType> = (frame: FrameOf<T>, binding: FrameBinding) => BoundFrame<T>;

export function boundFrame(frame: GatewayFrame, binding: FrameBinding): BoundFrame {
  return (BINDINGS[frame.type] as (frame: GatewayFrame, binding: FrameBinding) => BoundFrame)(
    frame,
    binding,
  );
}

const DAY_MS = 86_400_000;
/** Seconds in which the counts of requests are of any use. */
const OLDEST_COUNTS = 3600;
/** Days that a gateway without a server keeps what models have used. */
const OLDEST_USE = 366;
/** The most requests within a second that are believed. */
const MOST_PER_SECOND = 10_000_000;
/** Requests per second: limits of services are in these bounds, and the database computes with such numbers. */
const SLOWEST_RATE = 1 / 60;
const FASTEST_RATE = 1e18;
/** Tokens of one request: far beyond the context of any model. */
const MOST_TOKENS = 100_000_000;

const whole = <T extends FrameType>(frame: FrameOf<T>): BoundFrame<T> => ({
  ...{ frame, isForeign: false },
});
const refused = (answer: GatewayCommand | null): BoundFrame<never> => ({
  ...{ frame: null, isForeign: true, answer },
});

/** A new kind of message does not compile until it has a row. */
const BINDINGS: { readonly [T in FrameType]: Bind<T> } = {
  status(frame, { reach, files }) {
    const { names } = reach;
    const certificates = frame.certificates.filter(({ domain }) => isItsOwn(domain, names, files));
    return whole<'status'>({ ...frame, certificates });
  },
  issued(frame, { reach }) {
    const { names } = reach;
    const certificates = frame.certificates.filter(({ domain }) => isItsOwn(domain, names));
    return whole<'issued'>({ ...frame, certificates });
  },
  admit(frame, { reach }) {
    if (reach.servesProject(frame.project)) return whole<'admit'>(frame);
    const detail = `Unauthenticated or unauthorized to access project ${frame.project}`;
    const nobody = { user: null, services: null, status: 403, detail };
    return refused({ type: 'admitted', n: frame.n, ...nobody });
  },
  'is-token': (frame) => whole<'is-token'>(frame),
  counts(frame, { reach, now }) {
    const { isForeign, own } = ofServices(reach, frame.counts);
    const waiting = frame.waiting.filter((runId) => reach.has(runId));
    const strange = frame.waiting.some((runId) => reach.standing(runId) === 'foreign');
    const behind = Math.round(msBehind(frame, now) / 1000);
    const inOurTime = own.map((one) => ({ ...one, second: one.second + behind }));
    const counts = recentCounts(inOurTime, Math.floor(now / 1000));
    const bound = { ...frame, counts, waiting: [...new Set(waiting)] };
    return { frame: bound, isForeign: isForeign || strange };
  },
  usage(frame, { now }) {
    // The owners of the tokens are read from the database: see `ownUses`.
    const today = Math.floor(now / DAY_MS);
    const uses = frame.uses.flatMap((use) => {
      if (use.requests === 0 || use.day < today - OLDEST_USE) return [];
      const most = (count: number, limit: number) => Math.min(count, limit);
      const tokens = use.requests * MOST_TOKENS;
      return {
        ...{ ...use, day: Math.min(use.day, today) },
        ...{
          aborted: most(use.aborted, use.requests),
          estimated: most(use.estimated, use.requests),
        },
        prompt_tokens: most(use.prompt_tokens, tokens),
        completion_tokens: most(use.completion_tokens, tokens),
      };
    });
    return whole<'usage'>({ ...frame, uses });
  },
  load(frame, { reach, now }) {
    const { isForeign, own } = ofServices(reach, frame.slots);
    const current = Math.floor(now / 1000 / LOAD_SLOT);
    const behind = Math.round(msBehind(frame, now) / 1000 / LOAD_SLOT);
    const slots = new Map<string, (typeof own)[number]>();
    for (const one of own) {
      const slot = Math.min(one.slot + behind, current);
      if (slot >= current - OLDEST_COUNTS / LOAD_SLOT) {
        slots.set(`${one.run_id} ${slot}`, { ...one, slot });
      }
    }
    return { frame: { ...frame, slots: [...slots.values()] }, isForeign };
  },
  figures(frame, { reach, now }) {
    const { isForeign, own } = ofServices(reach, frame.services);
    const behind = msBehind(frame, now);
    const services = own.map((one) => believedFigures(one, { behind, now }));
    return { frame: { ...frame, services }, isForeign };
  },
  avoided(frame, { reach }) {
    const isOwn = reach.has(frame.run_id) && reach.servesJob(frame.job_id);
    if (isOwn) return whole<'avoided'>(frame);
    // One that has just left it may still have answered.
    const isForeign =
      reach.standing(frame.run_id) === 'foreign' || reach.replica(frame.job_id) === null;
    return { frame: null, isForeign, answer: null };
  },
  accessed(frame, { isAsked }) {
    if (!isAsked('accessed', frame.n)) return refused(null);
    // Names of processes of other servers contain a slash.
    const pages = frame.pages.filter(({ process }) => !process.includes('/'));
    return { frame: { ...frame, pages }, isForeign: pages.length < frame.pages.length };
  },
  log: (frame, { isAsked }) => (isAsked('log', frame.n) ? whole<'log'>(frame) : refused(null)),
  renewing: (frame, { isAsked }) =>
    isAsked('renewing', frame.n) ? whole<'renewing'>(frame) : refused(null),
  why(frame, { reach }) {
    if (reach.has(frame.run_id)) return whole<'why'>(frame);
    const isForeign = reach.standing(frame.run_id) === 'foreign';
    const nothing = { status: 404, detail: 'The service does not exist', retry: 0 };
    return { frame: null, isForeign, answer: { type: 'because', n: frame.n, ...nothing } };
  },
  rate(frame, { reach }) {
    const { n, run_id, rps } = frame;
    const isPossible = rps >= SLOWEST_RATE && rps <= FASTEST_RATE;
    if (isPossible && (run_id === null || reach.has(run_id))) return whole<'rate'>(frame);
    const isForeign = !isPossible || run_id === null || reach.standing(run_id) === 'foreign';
    return { frame: null, isForeign, answer: { type: 'taken', n, granted: 0, wait_ms: 1000 } };
  },
  dns(frame, { reach }) {
    const proven = frame.name.replace(CHALLENGE, '');
    if (reach.names.has(proven)) return whole<'dns'>(frame);
    const error = `${proven} is no name of a service of this gateway`;
    return refused({ type: 'dns-done', n: frame.n, error });
  },
  // After the link was opened again the server asks anew.
  idle: (frame, { isDraining }) =>
    isDraining(frame.job_id) ? whole<'idle'>(frame) : refused(null),
  tunnel(frame, { reach }) {
    const known = reach.replica(frame.job_id);
    if (known?.hostId === frame.host_id && known.port === frame.port) return whole<'tunnel'>(frame);
    const error = 'this gateway serves no such replica';
    return refused({ type: 'no-tunnel', id: frame.id, error });
  },
};

const CHALLENGE = /^_acme-challenge\./;

/** The part that is about services which the gateway serves now. */
function ofServices<T extends { readonly run_id: Id }>(reach: GatewayReach, all: readonly T[]) {
  const own = all.filter(({ run_id }) => reach.has(run_id));
  const isForeign = all.some(({ run_id }) => reach.standing(run_id) === 'foreign');
  return { own, isForeign };
}

/** Clocks that differ by less (ms) count as equal. */
const EQUAL_MS = 5000;

/** How far the clock of the gateway is behind ours, in milliseconds. An earlier version does not send its time. */
function msBehind(
  { sent_at }: { readonly sent_at?: number | null | undefined },
  now: number,
): number {
  const behind = now - (sent_at ?? now);
  return Math.abs(behind) <= EQUAL_MS ? 0 : behind;
}

/** A replica is avoided for so long (ms) at most. */
const LONGEST_AVOIDED = 3_600_000;

/** In our time. */
function believedFigures(
  counts: GatewayCounts,
  { behind, now }: { readonly behind: number; readonly now: number },
): GatewayCounts {
  const later = Math.round(behind / SLICE_MS);
  const shifted = (requests: GatewayCounts['requests']) => ({
    ...requests,
    slices: requests.slices.map((one) => ({ ...one, number: Math.max(0, one.number + later) })),
  });
  const inBounds = (until: number) => Math.min(Math.max(0, until + behind), now + LONGEST_AVOIDED);
  const replicas = counts.replica_states?.map((one) => ({
    ...one,
    avoided: one.avoided && { ...one.avoided, until: inBounds(one.avoided.until) },
  }));
  return {
    ...counts,
    ...(replicas && { replica_states: replicas }),
    requests: shifted(counts.requests),
    mirrored: shifted(counts.mirrored),
  };
}

/** `now`: seconds. A gateway whose clock is ahead has counted its requests now; each second has one row. */
function recentCounts(
  counts: FrameOf<'counts'>['counts'],
  now: number,
): FrameOf<'counts'>['counts'] {
  const sums = new Map<string, FrameOf<'counts'>['counts'][number]>();
  for (const { run_id, second, requests } of counts) {
    if (second < now - OLDEST_COUNTS) continue;
    const at = Math.min(second, now);
    const key = `${run_id} ${at}`;
    const sum = Math.min(requests + (sums.get(key)?.requests ?? 0), MOST_PER_SECOND);
    sums.set(key, { run_id, second: at, requests: sum });
  }
  return [...sums.values()];
}

/** `domain`: of a certificate. */
function isItsOwn(
  domain: string,
  names: ReadonlySet<string>,
  files: ReadonlySet<string> = new Set(),
): boolean {
  return names.has(domain.replace(/^\*\./, '')) || files.has(domain);
}

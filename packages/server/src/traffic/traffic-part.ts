import {
  type CountedReplica,
  NO_RECENT_MODEL,
  type RecentModel,
  type RecentRequests,
  sumOfRecent,
  sumOfRecentModels,
  sumOfReplicas,
} from '@dstack/proxy';
import * as z from 'zod';

const whole = z.int().min(0);
const amount = z.number().min(0);

const EjectionCause = z.discriminatedUnion('cause', [
  z.object({ cause: z.literal('errors_in_row'), errors: whole }),
  z.object({ cause: z.literal('error_rate'), rate: amount, others: amount }),
]);

const Buckets = z.array(z.tuple([whole, whole]));

/** The counts of one service by one source. Servers send them to one another. */
export const TrafficPart = z.object({
  runId: z.string(),
  /** A server, or a replica of a gateway: the same at whichever server it is known. */
  source: z.string(),
  /** The source is connected now: its requests in flight are known. */
  isLive: z.boolean(),
  recent: z.object({
    seconds: amount,
    requests: whole,
    errors: whole.nullable(),
    buckets: Buckets,
  }),
  answered: z.record(z.string(), whole),
  inFlight: whole,
  held: whole,
  /** False: a program of an earlier version reports no replicas. */
  knowsReplicas: z.boolean(),
  replicas: z.array(
    z.object({
      jobId: z.string(),
      inFlight: whole,
      avoided: z.object({ until: amount, why: EjectionCause.nullable() }).nullable(),
      recent: z.object({ requests: whole, errors: whole, buckets: Buckets }).nullable(),
    }),
  ),
  /** Null: no model of it has answered. */
  model: z
    .object({
      ...{ answers: whole, promptTokens: whole, completionTokens: whole },
      buckets: Buckets,
    })
    .nullable(),
});
export type TrafficPart = z.infer<typeof TrafficPart>;

export interface TrafficSum extends Pick<TrafficPart, 'answered' | 'inFlight' | 'held'> {
  readonly recent: RecentRequests;
  readonly replicas: readonly CountedReplica[];
  readonly knowsReplicas: boolean;
  readonly model: RecentModel | null;
}

/** The parts of one service together, each source once. */
export function sumOfParts(all: readonly TrafficPart[]): TrafficSum {
  const parts = onePerSource(all);
  const answered: Record<string, number> = {};
  for (const part of parts) {
    for (const [status, more] of Object.entries(part.answered)) {
      answered[status] = (answered[status] ?? 0) + more;
    }
  }
  const live = parts.filter(({ isLive }) => isLive);
  const models = live.flatMap(({ model }) => model ?? []);
  const sum = (of: (part: TrafficPart) => number) => live.reduce((all, one) => all + of(one), 0);
  return {
    recent: sumOfRecent(parts.map(({ recent }) => recent)),
    answered,
    inFlight: sum(({ inFlight }) => inFlight),
    held: sum(({ held }) => held),
    knowsReplicas: live.length > 0 && live.every(({ knowsReplicas }) => knowsReplicas),
    replicas: sumOfReplicas(live.map(({ replicas }) => replicas)),
    model: models.length === 0 ? null : models.reduce(sumOfRecentModels, NO_RECENT_MODEL),
  };
}

/**
 * Two servers may know the same replica of a gateway: the one that is connected to it, and one that was. The first
 * one's counts are newer, and include the other's.
 */
function onePerSource(parts: readonly TrafficPart[]): TrafficPart[] {
  const best = new Map<string, TrafficPart>();
  for (const part of parts) {
    const known = best.get(part.source);
    if (known === undefined || isNewer(part, known)) best.set(part.source, part);
  }
  return [...best.values()];
}

function isNewer(part: TrafficPart, known: TrafficPart): boolean {
  if (part.isLive !== known.isLive) return part.isLive;
  return totalOf(part) > totalOf(known);
}

const totalOf = ({ answered }: TrafficPart): number =>
  Object.values(answered).reduce((sum, count) => sum + count, 0);

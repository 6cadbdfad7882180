import type * as z from 'zod';
import { Problem } from '../grammar/problem.ts';
import { Memory } from './resources.ts';
import { type Break, withRules } from './rules.ts';
import { float, int, optional, readInt, string } from './scalars.ts';
import { choice, closed, isMap, named, type Reader, reader } from './schema-kit.ts';

/** GPUs of any kind together, or those of each name by themselves. */
export type QuotaGpus = number | Readonly<Record<string, number>>;

const MOST_GPUS = 1_000_000;
const MOST_GPU_NAMES = 50;

const QuotaGpus: Reader<QuotaGpus> = reader(readGpus, {
  anyOf: [
    { type: 'integer', minimum: 0 },
    { type: 'object', additionalProperties: { type: 'integer', minimum: 0 } },
  ],
});

function readGpus(value: unknown): QuotaGpus | Problem {
  if (!isMap(value)) return gpuCount(value);
  const entries = Object.entries(value);
  if (entries.length === 0) return new Problem('must name a GPU, like {H100: 8}, or be a number');
  if (entries.length > MOST_GPU_NAMES) {
    return new Problem(`must name ${MOST_GPU_NAMES} GPUs at most, names ${entries.length}`);
  }
  const read: [string, number][] = [];
  for (const [name, count] of entries) {
    const number = gpuCount(count);
    if (number instanceof Problem) return number;
    if (read.some(([known]) => known.toLowerCase() === name.toLowerCase())) {
      return new Problem(`must name each GPU once, names ${name} twice`);
    }
    read.push([name, number]);
  }
  return Object.fromEntries(read);
}

function gpuCount(value: unknown): number | Problem {
  const count = readInt(value);
  if (count instanceof Problem) return count;
  if (count >= 0 && count <= MOST_GPUS) return count;
  return new Problem(`must be between 0 and ${MOST_GPUS}, got ${count}`);
}

/** `memory` in GB; `cost` in dollars per hour. */
const amountsShape = {
  gpu: optional(QuotaGpus),
  cpu: optional(float({ ge: 0, le: 1e9 })),
  memory: optional(Memory),
  instances: optional(int({ ge: 0, le: 1e6 })),
  cost: optional(float({ ge: 0, le: 1e9 })),
};

/** Amounts that a project may use whenever it needs them, and that others may use while it does not. */
export const QuotaGuarantee = named('QuotaGuarantee', closed(amountsShape));
export type QuotaGuarantee = z.infer<typeof QuotaGuarantee>;

/** The most that may be used at one time; `runs`: that may wait. */
export const QuotaLimit = named(
  'QuotaLimit',
  closed({ ...amountsShape, runs: optional(int({ ge: 0, le: 1e9 })) }),
);
export type QuotaLimit = z.infer<typeof QuotaLimit>;

export const quotaTermsShape = {
  guaranteed: optional(QuotaGuarantee),
  limit: optional(QuotaLimit),
  weight: optional(int({ gt: 0, le: 10_000_000 })),
};

/** A quota as a file. `project`: default is the project of the command. */
export const QuotaConfiguration = named(
  'QuotaConfiguration',
  withRules(
    closed({
      type: choice(['quota'], 'literal_error').default('quota'),
      project: optional(string()),
      fleet: optional(string()),
      user: optional(string()),
      ...quotaTermsShape,
    }),
    checkTerms,
  ),
);
export type QuotaConfiguration = z.infer<typeof QuotaConfiguration>;

interface Terms {
  readonly fleet?: string | null;
  readonly fleet_name?: string | null;
  readonly user?: string | null;
  readonly user_name?: string | null;
  readonly guaranteed: QuotaGuarantee | null;
  readonly limit: QuotaLimit | null;
  readonly weight: number | null;
}

/** Rules over several keys, the same for a file and for a request. */
export function checkTerms(quota: Terms, broken: Break): void {
  const fleet = quota.fleet ?? quota.fleet_name ?? null;
  const user = quota.user ?? quota.user_name ?? null;
  if (isEmpty(quota.guaranteed) && isEmpty(quota.limit) && quota.weight === null) {
    broken(['guaranteed', 'limit', 'weight'], 'needs one of guaranteed, limit and weight', [
      'limit',
    ]);
  }
  for (const [path, guaranteed, limit] of excesses(quota)) {
    broken(
      ['guaranteed', 'limit'],
      `must be at most the limit of the same quota, which is ${limit}, got ${guaranteed}`,
      ['guaranteed', ...path],
    );
  }
  if (quota.guaranteed !== null && user !== null) {
    broken(['guaranteed'], "can't guarantee anything to a user: guarantees belong to projects");
  }
  if (quota.weight !== null && fleet !== null) {
    broken(['weight'], "can't have a weight on one fleet: remove fleet, or weight");
  }
  if (quota.limit?.runs != null && fleet !== null) {
    broken(['limit'], "can't limit waiting runs on one fleet: remove fleet, or limit.runs", [
      'limit',
      'runs',
    ]);
  }
}

const isEmpty = (amounts: object | null): boolean =>
  amounts === null || Object.values(amounts).every((amount) => (amount ?? null) === null);

type Excess = readonly [path: readonly string[], guaranteed: number, limit: number];

/** Guarantees beyond the limit, which the project could never use. */
function excesses({ guaranteed, limit }: Terms): Excess[] {
  if (guaranteed === null || limit === null) return [];
  const pairs = (['cpu', 'memory', 'instances', 'cost'] as const).map(
    (key) => [[key], guaranteed[key], limit[key]] as const,
  );
  return [...pairs, ...gpuPairs(guaranteed.gpu, limit.gpu)].flatMap(([path, least, most]) =>
    (least ?? null) !== null && (most ?? null) !== null && Number(least) > Number(most)
      ? [[path, Number(least), Number(most)] as const]
      : [],
  );
}

/** Named GPUs are compared one by one, or all together with a number; a number is no promise of a name. */
function gpuPairs(guaranteed: QuotaGpus | null, limit: QuotaGpus | null) {
  if (!isMap(guaranteed)) return isMap(limit) ? [] : [[['gpu'], guaranteed, limit] as const];
  const counts = Object.entries(guaranteed) as [string, number][];
  if (!isMap(limit)) {
    const sum = counts.reduce((total, [, count]) => total + count, 0);
    return [[['gpu'], sum, limit] as const];
  }
  const limits = new Map(
    Object.entries(limit).map(([name, most]) => [name.toLowerCase(), most as number]),
  );
  return counts.map(
    ([name, count]) => [['gpu', name], count, limits.get(name.toLowerCase()) ?? null] as const,
  );
}

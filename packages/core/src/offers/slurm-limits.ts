/** The nodes of Slurm clusters that a run's `backend_settings.slurm` exclude. */
import type { BackendSettings } from '@dstack/contract';
import type { Offer } from '../model/index.ts';
import type { JobNeeds, SlurmNeeds } from './job-needs.ts';
import { meetsConstraint } from './slurm-constraint.ts';

// Keys of `backend_data` in offers of Slurm clusters.

/** All partitions of the node. */
export const SLURM_PARTITIONS = 'partitions';
/** Features that the node can have. */
export const SLURM_FEATURES = 'features';
/** By partition of the node: the QOS that it denies, or those alone that it allows. */
export const SLURM_QOS = 'qos';

export interface PartitionQos {
  readonly allowed?: readonly string[];
  readonly denied?: readonly string[];
}

export interface SlurmRefusal {
  readonly need: keyof SlurmNeeds;
  readonly asked: string;
  readonly has: string | null;
}

/** Null: the run sets none of them. */
export function slurmNeeds(settings: BackendSettings | null): SlurmNeeds | null {
  const { partition = null, constraint = null, qos = null } = settings?.slurm ?? {};
  return partition || constraint || qos ? { partition, constraint, qos } : null;
}

/** Null for other machines. A node outside the named partitions is refused for that alone. */
export function slurmRefusal(
  { slurm }: Pick<JobNeeds, 'slurm'>,
  { backend_data: data, availability_zones: usable }: Offer,
): SlurmRefusal | null {
  const all = wordsOf(data[SLURM_PARTITIONS]);
  if (!slurm || all === null) return null;
  const { partition, constraint, qos } = slurm;
  const named = partition?.split(',') ?? null;
  const own = named === null ? (usable ?? all) : all.filter((name) => named.includes(name));
  if (partition !== null && own.length === 0) {
    return { need: 'partition', asked: partition, has: all.join(', ') || null };
  }
  const features = wordsOf(data[SLURM_FEATURES]) ?? [];
  if (constraint !== null && meetsConstraint(constraint, features) === false) {
    return { need: 'constraint', asked: constraint, has: features.join(', ') || 'none' };
  }
  const limits = (data[SLURM_QOS] ?? {}) as Readonly<Record<string, PartitionQos>>;
  if (qos === null || own.some((name) => allowsQos(limits[name], qos))) return null;
  const allowed = [...new Set(own.flatMap((name) => limits[name]?.allowed ?? []))];
  return { need: 'qos', asked: qos, has: allowed.join(', ') || null };
}

/** Slurm has no upper case in names of QOS. */
function allowsQos(limit: PartitionQos | undefined, name: string): boolean {
  const qos = name.toLowerCase();
  if (limit?.denied?.includes(qos)) return false;
  return limit?.allowed?.includes(qos) ?? true;
}

function wordsOf(value: unknown): readonly string[] | null {
  return Array.isArray(value) ? value.filter((word) => typeof word === 'string') : null;
}

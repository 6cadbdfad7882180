import type { JobSpec, Profile, Requirements, RunSpec } from '@dstack/contract/wire';
import { stableHash } from '../hash/stable-hash.ts';
import type { Gang, RunRecord, TimeLimit } from '../model/index.ts';
import type { JobNeeds } from '../offers/job-needs.ts';
import { needsOf } from '../offers/needs.ts';
import { mergedProfile } from '../profile/merge.ts';
import { nodesRequired } from '../run-spec/size-of.ts';

/** The requirements of one job of a gang. */
export interface NodeRequest {
  readonly requirements: Requirements;
  readonly needs: JobNeeds;
  /** For each mount of a named volume, the names of which one is mounted. */
  readonly volumes: readonly (readonly string[])[];
  /** Equal for nodes with the same requirements. */
  readonly kind: string;
}

/**
 * 0: the gang waits for those whom it has asked to leave. 1: it is wholly within the guarantee of its project. 2: neither.
 * Lower ones come first, whatever their priority.
 */
export type QueueStanding = 0 | 1 | 2;

/** A gang as placement and plans see it. */
export interface GangRequest {
  readonly run: Pick<RunRecord, 'id' | 'fleetId' | 'projectId'> &
    Partial<Pick<RunRecord, 'userId'>>;
  readonly profile: Profile;
  readonly nodes: readonly NodeRequest[];
  /** The fewest nodes of the whole run; a fleet that cannot hold them is not chosen. */
  readonly nodesRequired: number;
  /** Equal for gangs with the same requirements; the fleet of the run is not included. */
  readonly kind: string;
  readonly standing: QueueStanding;
  readonly priority: number;
  /** Seconds after which all of its jobs have ended by their `max_duration`; null = unknown. */
  readonly limit: number | null;
  /** The same with the time that they may take to stop; null also if that is unknown. */
  readonly lasts: number | null;
  /** The gang; null = it does not exist yet. */
  readonly key: string | null;
}

export function gangRequest(gang: Gang): GangRequest {
  const specs = gang.jobs.map((job) => job.spec);
  const request = requestOf(gang.run, gang.run.spec, specs);
  return { ...request, priority: gang.run.priority, key: gangKey(gang) };
}

export const gangKey = ({ run, jobs }: Gang): string => `${run.id} ${jobs[0]?.replicaNum ?? 0}`;

export function requestOf(
  run: GangRequest['run'],
  spec: RunSpec,
  jobSpecs: readonly JobSpec[],
): GangRequest {
  const profile = mergedProfile(spec);
  const nodes = jobSpecs.map((job) => nodeRequest(spec, job));
  const required = Math.max(jobSpecs.length, nodesRequired(spec));
  const kinds = nodes.map((node) => node.kind);
  const kind = JSON.stringify([run.projectId, whereOf(profile), required, kinds]);
  const priority = spec.configuration.priority ?? 0;
  const limit = limitOf(jobSpecs);
  const lasts = lastsOf(jobSpecs);
  const of = { standing: 2, priority, limit, lasts, key: null } as const;
  return { run, profile, nodes, nodesRequired: required, kind, ...of };
}

/**
 * The demand class of a gang, stored with its jobs. If one gang of a class has no place, the others
 * have none either, so a pass examines only the first of each class.
 */
export function demandOf(
  run: Pick<RunRecord, 'id' | 'fleetId' | 'projectId' | 'spec'>,
  jobSpecs: readonly JobSpec[],
): string {
  const { kind, limit, lasts } = requestOf(run, run.spec, jobSpecs);
  // If gangs are alike, one that ends early enough may use what others cannot, so its end is part of the class.
  const until = limit === null ? '' : ` ${limit} ${lasts}`;
  return stableHash(`${run.fleetId ?? ''} ${kind}${until}`);
}

/** Null: it has no `max_duration`. */
export function timeLimitOf({ max_duration, stop_duration }: JobSpec): TimeLimit | null {
  if (!max_duration) return null;
  return { seconds: max_duration, stopSeconds: stop_duration ?? null };
}

/** The longest `max_duration`; null if one of the jobs has none. */
function limitOf(jobSpecs: readonly JobSpec[]): number | null {
  const limits = jobSpecs.map((spec) => timeLimitOf(spec)?.seconds ?? null);
  return limits.includes(null) ? null : Math.max(...limits.map((one) => one ?? 0));
}

function lastsOf(jobSpecs: readonly JobSpec[]): number | null {
  const lasting = jobSpecs.map((spec) => {
    const limit = timeLimitOf(spec);
    if (limit === null || spec.stop_duration === null) return null;
    return limit.seconds + (limit.stopSeconds ?? 0);
  });
  return lasting.includes(null) ? null : Math.max(...lasting.map((one) => one ?? 0));
}

/** The keys of a profile that restrict where a run may be placed. */
function whereOf(profile: Profile): unknown {
  const { backends, regions, availability_zones, instance_types, fleets, instances } = profile;
  const { reservation, spot_policy, max_price, creation_policy, backend_options } = profile;
  return [
    [backends, regions, availability_zones, instance_types, fleets, instances],
    [reservation, spot_policy, max_price, creation_policy, backend_options],
  ];
}

function nodeRequest(spec: RunSpec, job: JobSpec): NodeRequest {
  const needs = needsOf(job, {
    dind: usesDocker(spec, job.replica_group),
    settings: spec.configuration.backend_settings ?? null,
    image: configuredImage(spec, job.replica_group),
  });
  const volumes = volumeNamesOf(job);
  return {
    requirements: job.requirements,
    needs,
    volumes,
    kind: JSON.stringify([job.requirements, needs, ...(volumes.length > 0 ? [volumes] : [])]),
  };
}

export function volumeNamesOf({ volumes }: Pick<JobSpec, 'volumes'>): string[][] {
  return (volumes ?? []).flatMap((mount) => ('name' in mount ? [[mount.name].flat()] : []));
}

/** `docker: true` of the run, or of the replica group of a service. */
export function usesDocker(spec: RunSpec, replicaGroup: string): boolean {
  const { configuration } = spec;
  if (configuration.docker) return true;
  if (configuration.type !== 'service') return false;
  const group = configuration.groups?.find((one) => one.name === replicaGroup);
  return Boolean(group?.docker);
}

/** Null: the configuration names none, so that the server chooses it. */
export function configuredImage({ configuration }: RunSpec, replicaGroup: string): string | null {
  const group =
    configuration.type === 'service'
      ? configuration.groups?.find((one) => one.name === replicaGroup)
      : undefined;
  return group?.image ?? configuration.image ?? null;
}

import type { JobSpec, Profile, Requirements, RunSpec } from '@dstack/contract/wire';
import { stableHash } from '../hash/stable-hash.ts';
import type { Gang, RunRecord } from '../model/index.ts';
import { type JobNeeds, needsOf } from '../offers/needs.ts';
import { mergedProfile } from '../profile/merge.ts';

/** What one job of a gang asks for. */
export interface NodeRequest {
  readonly requirements: Requirements;
  readonly needs: JobNeeds;
  /** Equal for nodes that ask for the same. */
  readonly kind: string;
}

/** A gang as placement and plans see it. */
export interface GangRequest {
  readonly run: Pick<RunRecord, 'id' | 'fleetId' | 'projectId'>;
  readonly profile: Profile;
  readonly nodes: readonly NodeRequest[];
  /** Nodes that the whole run needs at least; a fleet that cannot hold them is not chosen. */
  readonly nodesRequired: number;
  /** Equal for gangs that any fleet treats alike, but for the fleet that a run is bound to. */
  readonly kind: string;
}

export function gangRequest(gang: Gang): GangRequest {
  const specs = gang.jobs.map((job) => job.spec);
  return requestOf(gang.run, gang.run.spec, specs);
}

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
  return { run, profile, nodes, nodesRequired: required, kind };
}

/**
 * The demand class of a gang that waits, as it is stored with its jobs: what has no place for one of
 * a class has none for the others either, so that a pass looks at the first of each class only.
 */
export function demandOf(
  run: Pick<RunRecord, 'id' | 'fleetId' | 'projectId' | 'spec'>,
  jobSpecs: readonly JobSpec[],
): string {
  return stableHash(`${run.fleetId ?? ''} ${requestOf(run, run.spec, jobSpecs).kind}`);
}

/** What of a profile decides where a run may be placed. */
function whereOf(profile: Profile): unknown {
  const { backends, regions, availability_zones, instance_types, fleets, instances } = profile;
  const { reservation, spot_policy, max_price, creation_policy, backend_options } = profile;
  return [
    [backends, regions, availability_zones, instance_types, fleets, instances],
    [reservation, spot_policy, max_price, creation_policy, backend_options],
  ];
}

function nodeRequest(spec: RunSpec, job: JobSpec): NodeRequest {
  const needs = needsOf(job, usesDocker(spec, job.replica_group));
  return {
    requirements: job.requirements,
    needs,
    kind: JSON.stringify([job.requirements, needs]),
  };
}

/** `docker: true` of the run, or of the replica group of a service. */
export function usesDocker(spec: RunSpec, replicaGroup: string): boolean {
  const { configuration } = spec;
  if (configuration.docker) return true;
  if (configuration.type !== 'service') return false;
  const group = configuration.groups?.find((one) => one.name === replicaGroup);
  return Boolean(group?.docker);
}

/** Task: all nodes; service: the least of all groups together; development environment: one. */
export function nodesRequired(spec: RunSpec): number {
  const { configuration } = spec;
  switch (configuration.type) {
    case 'task':
      return configuration.groups
        ? configuration.groups.reduce((sum, group) => sum + (group.nodes ?? 1), 0)
        : (configuration.nodes ?? 1);
    case 'service':
      return configuration.groups
        ? configuration.groups.reduce((sum, group) => sum + (group.replicas.min ?? 0), 0)
        : (configuration.replicas?.min ?? 1);
    default:
      return 1;
  }
}

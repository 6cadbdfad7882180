import type { JobSpec, Profile, Requirements, RunSpec } from '@dstack/contract/wire';
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
  return {
    run,
    profile: mergedProfile(spec),
    nodes: jobSpecs.map((job) => nodeRequest(spec, job)),
    nodesRequired: Math.max(jobSpecs.length, nodesRequired(spec)),
  };
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
